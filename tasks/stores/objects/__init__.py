"""Objects under keys, in a folder or in an S3 bucket, behind one protocol."""
