"""What the benchmark asks of Oxen, for the Python that has it: oxen_repository.py init|add|version|older FOLDER."""

import sys
from importlib import import_module


def main(kind: str, folder: str) -> None:
    """Begin a repository, add or commit what its folder of pictures holds, or write the first commit's files again."""
    oxen = import_module("oxen")
    if kind == "init":
        oxen.user.config_user("Benchmark", "benchmark@example.org")
    repo = oxen.Repo(folder)
    if kind == "init":
        repo.init()
    elif kind == "older":
        repo.restore("pictures", source=repo.log()[-1].id)
    else:
        repo.add(f"{folder}/pictures")
        if kind == "version":
            repo.commit("pictures")


if __name__ == "__main__":
    main(*sys.argv[1:])
