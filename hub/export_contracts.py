"""Writes `schema/`: OpenAPI, JSON Schemas, golden messages and signature vectors, all from the code."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from operator_sdk.contract.golden import GOLDEN
from operator_sdk.contract.messages.common import ErrorBody, Message
from operator_sdk.contract.operations import HUB, OPERATOR, Operation, Scope
from operator_sdk.contract.public_codes import PUBLIC_CODES, Code
from operator_sdk.contract.signing import SigningKey, sign_answer, sign_request
from operator_sdk.contract.tcec102.golden import golden_files

COMMON_ERRORS = (Code.MALFORMED, Code.TOO_LARGE, Code.TOO_MANY_REQUESTS, Code.INTERNAL, Code.UNAVAILABLE)
VECTOR_SEED = bytes(range(32))
VECTOR_CREATED = 1_780_000_000


def main(argv: list[str]) -> int:
    """Export into a folder."""
    parser = argparse.ArgumentParser(prog="interpile contracts", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("schema"))
    folder: Path = parser.parse_args(argv).folder
    for name, content in sorted(contracts().items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
    return 0


def contracts() -> dict[str, Any]:
    """Everything that is published, by file name."""
    messages = sorted(_messages(), key=lambda kind: kind.__name__)
    _, components = msgspec.json.schema_components(messages, ref_template="#/components/schemas/{name}")
    files: dict[str, Any] = {
        "openapi-hub.json": _openapi("Interpile hub", HUB, components),
        "openapi-operator.json": _openapi("An operator's platform", OPERATOR, components),
        "codes.json": {
            code: {"status": meaning.status, "zh": meaning.zh, "en": meaning.en}
            for code, meaning in PUBLIC_CODES.items()
        },
        "signatures/vectors.json": _vectors(),
    }
    for kind in messages:
        files[f"messages/{kind.__name__}.json"] = msgspec.json.schema(kind)
    for message in GOLDEN:
        name = type(message).__name__
        files[f"golden/{name}.json"] = json.loads(msgspec.json.encode(message))
    files.update({f"examples/tcec102/{name}": content for name, content in golden_files().items()})
    return files


def _messages() -> set[type[Message]]:
    found: set[type[Message]] = {ErrorBody}
    for operation in (*HUB.values(), *OPERATOR.values()):
        found |= {operation.request, operation.reply}
    return found


def _openapi(title: str, table: dict[str, Operation], components: dict[str, Any]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for operation in table.values():
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1"},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": sorted(operation.scopes),
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if Scope.PUBLIC not in operation.scopes and Scope.HUB not in operation.scopes:
        described["security"] = [{"bearer": []}]
    if operation.method != "GET" and operation.request.__struct_fields__:
        media = "application/x-www-form-urlencoded" if operation.form else "application/json"
        described["requestBody"] = {
            "required": True,
            "content": {media: {"schema": _ref(operation.request)}},
        }
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "maxLength": 80}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    if operation.paged:
        parameters += [
            _query("limit", {"type": "integer", "minimum": 1, "maximum": 200}),
            _query("after", {"type": "string", "maxLength": 300}),
            _query("updated_since", {"type": "string", "format": "date-time"}),
        ]
    if operation.query is not None:
        _, found = msgspec.json.schema_components([operation.query])
        described = found[operation.query.__name__]["properties"]
        parameters += [_query(name, _given(schema, found)) for name, schema in described.items()]
    if operation.signed:
        parameters += [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
            for name in ("Content-Digest", "Signature-Input", "Signature")
        ]
    return parameters


def _given(schema: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """A field as a query has it: left out where it would be null, and described on the spot."""
    if schema.get("default", ...) is None:
        (schema,) = (one for one in schema["anyOf"] if one != {"type": "null"})
    named = schema.get("$ref", "").rpartition("/")[2]
    return dict(found[named] if named else schema)


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {
        str(operation.success): {"description": "Done", "content": _content(operation)}
    }
    codes = {*COMMON_ERRORS, *operation.errors}
    if Scope.PUBLIC not in operation.scopes:
        codes |= {Code.UNAUTHENTICATED, Code.TOKEN_INVALID, Code.FORBIDDEN}
    if operation.signed:
        codes |= {Code.SIGNATURE_MISSING, Code.SIGNATURE_INVALID, Code.SIGNATURE_STALE, Code.REPLAYED}
    if "{" in operation.path or operation.method != "GET":
        codes.add(Code.NOT_FOUND)
    by_status: dict[int, list[str]] = {}
    for code in sorted(codes):
        by_status.setdefault(PUBLIC_CODES[code].status, []).append(code)
    for status, names in by_status.items():
        responses[str(status)] = {
            "description": ", ".join(names),
            "content": {"application/json": {"schema": _ref(ErrorBody)}},
        }
    return responses


def _content(operation: Operation) -> dict[str, Any]:
    if operation.stream:
        return {"text/event-stream": {"schema": _event(operation)}}
    content: dict[str, Any] = {"application/json": {"schema": _ref(operation.reply)}}
    for media in operation.media:
        # Bytes that are no text have no schema (OpenAPI 3.1).
        content[media] = {"schema": {"type": "string"}} if media.startswith("text/") else {}
    return content


def _event(operation: Operation) -> dict[str, Any]:
    """One server-sent event: `progress` has an update number and an update, `end` has neither."""
    data = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": _ref(operation.reply),
    }
    progress = {"event": {"const": "progress"}, "id": {"type": "string"}, "data": data}
    end = {"event": {"const": "end"}, "data": {"type": "string"}}
    return {
        "oneOf": [
            {"type": "object", "required": sorted(properties), "properties": properties}
            for properties in (progress, end)
        ]
    }


def _ref(kind: type[Message]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _vectors() -> dict[str, Any]:
    key = SigningKey("vector-1", Ed25519PrivateKey.from_private_bytes(VECTOR_SEED))
    uri, body, nonce = "https://hub.example/v1/sessions", b'{"start_ref":"s-1"}', "AAAAAAAAAAAAAAAAAAAAAA"
    request = sign_request(key, method="POST", target_uri=uri, body=body, created=VECTOR_CREATED, nonce=nonce)
    answer_body = b'{"state":"starting"}'
    answer = sign_answer(
        key,
        status=200,
        body=answer_body,
        request_signature=request.signature,
        created=VECTOR_CREATED,
        nonce=nonce,
    )
    return {
        "private_seed_hex": VECTOR_SEED.hex(),
        "public_key": key.public_b64url(),
        "request": {
            "method": "POST",
            "target_uri": uri,
            "body": body.decode(),
            "headers": request.as_dict(),
        },
        "answer": {"status": 200, "body": answer_body.decode(), "headers": answer.as_dict()},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
