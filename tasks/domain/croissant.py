"""A dataset version described for machines: Croissant metadata (https://docs.mlcommons.org/croissant/docs/croissant-spec.html)."""

from typing import Any

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_FIELDS = {
    "image": "SHA-256 of the image's bytes, which name it in the store and in a checked-out folder",
    "label": "What the image shows",
    "split": "train, validation, test or held-out; given once, for life",
    "key": "Where the image was first found in the source",
}


def croissant(dataset: str, images: int, classes: int, written: str, manifest_sha256: str) -> dict[str, Any]:
    """Describe the manifest of a dataset version, a Parquet file that lies beside the description.

    ``written`` is ISO 8601; who may use the photographs under which licence is for their owner to say.
    """
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"pedigree-{dataset[:12]}",
        "description": f"{images} labelled images of {classes} classes; the dataset's hash is {dataset}.",
        "version": f"1.0.0+{dataset[:12]}",
        "identifier": dataset,
        "datePublished": written[:10],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "manifest",
                "name": "manifest.parquet",
                "contentUrl": "manifest.parquet",
                "encodingFormat": "application/x-parquet",
                "sha256": manifest_sha256,
            }
        ],
        "recordSet": [{"@type": "cr:RecordSet", "@id": "images", "name": "images", "field": _fields()}],
    }


def _fields() -> list[dict[str, Any]]:
    return [
        {
            "@type": "cr:Field",
            "@id": f"images/{name}",
            "name": name,
            "description": meaning,
            "dataType": "sc:Text",
            "source": {"fileObject": {"@id": "manifest"}, "extract": {"column": name}},
        }
        for name, meaning in _FIELDS.items()
    ]
