"""The routes of an HTTP API, as resources."""

API = "AWS::ApiGatewayV2::Api"


def declare_the_routes(template: dict) -> None:
    """SAM describes an API's routes in one OpenAPI body, which the emulator does not look at. The same routes, read from
    that body, are declared as resources instead."""
    apis = [(name, resource["Properties"]) for name, resource in template["Resources"].items() if resource["Type"] == API]
    for name, properties in apis:
        body = properties.pop("Body")
        properties.pop("FailOnWarnings", None)
        properties |= {"Name": name, "ProtocolType": "HTTP"}
        if cors := body.get("x-amazon-apigateway-cors"):
            # In the spelling of the body, which is the one that the emulator looks for.
            properties["CorsConfiguration"] = cors
        keys = [(route_key(path, method), path, method) for path, methods in body["paths"].items() for method in methods]
        for number, (key, path, method) in enumerate(keys):
            integration = body["paths"][path][method]["x-amazon-apigateway-integration"]
            template["Resources"] |= route(name, number, key, integration)


def route(api: str, number: int, key: str, integration: dict) -> dict:
    target = f"{api}Integration{number}"
    return {
        target: {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": api},
                "IntegrationType": integration["type"].upper(),
                "IntegrationUri": integration["uri"],
                "PayloadFormatVersion": integration["payloadFormatVersion"],
            },
        },
        f"{api}Route{number}": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": api},
                "RouteKey": key,
                "Target": {"Fn::Sub": f"integrations/${{{target}}}"},
            },
        },
    }


def route_key(path: str, method: str) -> str:
    if path == "/$default":
        return "$default"
    return f"{'ANY' if method == 'x-amazon-apigateway-any-method' else method.upper()} {path}"
