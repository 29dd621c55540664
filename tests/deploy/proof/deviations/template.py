"""What the expanded template is bent to."""

CODE_DEPLOY = "AWS::CodeDeploy::"
API = "AWS::ApiGatewayV2::Api"


def leave_out_code_deploy(template: dict) -> None:
    """The emulator has no CodeDeploy, so its resources are left out. They shift the traffic when a stack is updated; here
    one is only made."""
    resources = template["Resources"]
    for name in [name for name, resource in resources.items() if resource["Type"].startswith(CODE_DEPLOY)]:
        del resources[name]
    for resource in resources.values():
        resource.get("UpdatePolicy", {}).pop("CodeDeployLambdaAliasUpdate", None)


def spell_cors_like_the_emulator(template: dict) -> None:
    """The emulator keeps an API's CORS configuration in CloudFormation's spelling and looks for API Gateway's
    (allowOrigins), so it is spelled like that in the first place."""

    def spelled(value):
        if isinstance(value, list):
            return [spelled(entry) for entry in value]
        if not isinstance(value, dict):
            return value
        if intrinsic := [name for name in value if name == "Ref" or name.startswith("Fn::")]:
            return {name: spelled(value[name]) for name in intrinsic}
        return {name[0].lower() + name[1:]: spelled(entry) for name, entry in value.items()}

    for resource in template["Resources"].values():
        if resource["Type"] == API and "CorsConfiguration" in resource["Properties"]:
            resource["Properties"]["CorsConfiguration"] = spelled(resource["Properties"]["CorsConfiguration"])
