"""The service: the champion answers photographs over HTTP, and follows the decisions about who is champion."""
