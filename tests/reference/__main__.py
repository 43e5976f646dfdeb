"""Write the generated parts of docs/ again: ``python -m tests.reference``, or ``make reference``."""

from tests.reference.pages import write_pages

if __name__ == "__main__":
    for changed in write_pages():
        print(changed)  # noqa: T201  # which pages to look at is its answer
