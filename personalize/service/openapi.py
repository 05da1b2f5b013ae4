"""What /openapi.json says beyond what the routes declare."""

from typing import Any

from fastapi import FastAPI

from personalize.service.schemas import Problem

PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}
ANY_PROBLEM = {
    "description": "Any other problem; a stopping service answers 503, a fault of ours 500.",
    "content": {"application/problem+json": {"schema": PROBLEM_REF}},
}


def describe_api(app: FastAPI) -> None:
    """Add the problem schemas, which responses refer to by name, and the default answer of every route."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas |= problem.pop("$defs", {}) | {"Problem": problem}
            for path in document["paths"].values():
                for operation in path.values():
                    operation["responses"].setdefault("default", ANY_PROBLEM)
        return app.openapi_schema or document

    app.openapi = openapi  # type: ignore[method-assign]
