"""The resources of DynamoDB's exports
(<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html>)."""

import json


def find_the_resources_of_exports() -> None:
    """The emulator's IAM finds the table of a request by its name alone, and requests about exports have the ARN of the table or of
    the export. It takes that now. Without it only an administrator could export a table."""
    from ministack.core import iam_actions

    by_name_alone = iam_actions.dynamodb_resource_arns

    def by_name_or_arn(body, region, account):
        request = json.loads(body or b"{}")
        arns = [request[name] for name in ("TableArn", "ExportArn") if name in request]
        return arns or by_name_alone(body, region, account)

    iam_actions.dynamodb_resource_arns = by_name_or_arn
