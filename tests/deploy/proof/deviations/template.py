"""What the expanded template is bent to."""

from collections.abc import Callable

CODE_DEPLOY = "AWS::CodeDeploy::"
ALARM = "AWS::CloudWatch::Alarm"
API = "AWS::ApiGatewayV2::Api"


def leave_out_code_deploy(template: dict) -> None:
    """The emulator has no CodeDeploy, so its resources are left out. They shift the traffic when a stack is updated;
    here one is only made."""
    leave_out(template, lambda resource: resource["Type"].startswith(CODE_DEPLOY))
    for resource in template["Resources"].values():
        resource.pop("UpdatePolicy", None)


def leave_out_metric_math(template: dict) -> None:
    """The emulator has no alarms on several metrics at once, so those are left out."""
    leave_out(template, lambda resource: resource["Type"] == ALARM and "Metrics" in resource["Properties"])


def leave_out(template: dict, unwanted: Callable[[dict], bool]) -> None:
    template["Resources"] = {name: item for name, item in template["Resources"].items() if not unwanted(item)}


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
