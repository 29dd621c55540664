"""What the pipeline may do in AWS (deploy/github-oidc.yaml), its workflows, and what they run: deploy/override and
deploy/stack."""

import json
import re
import tomllib
from datetime import UTC, datetime, timedelta

import boto3
import pytest
import scripts
import stack
import yaml
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document
from samtranslator.yaml_helper import yaml_parse

REGION, ACCOUNT = "eu-central-1", "111122223333"
OIDC = yaml_parse((stack.ROOT / "deploy/github-oidc.yaml").read_text())
WORKFLOWS = stack.ROOT / ".github/workflows"
ACTION = yaml.safe_load((stack.ROOT / ".github/actions/deploy/action.yml").read_text())
STACK = "users-production"
GIVEN = {
    "Repository": "acme@1/shop@2",
    "RepositoryId": "2",
    "Environment": "production",
    "StackName": STACK,
    "ProviderArn": "",
}
ABSENT = object()


class Resolved:
    """deploy/github-oidc.yaml with its functions carried out."""

    def __init__(self, **given):
        self.names = GIVEN | given | {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT}
        self.resources = {name: self.value(body["Properties"]) for name, body in OIDC["Resources"].items()}

    def value(self, node):
        if isinstance(node, list):
            return [one for one in map(self.value, node) if one is not ABSENT]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            match function:
                case "Ref" if argument == "AWS::NoValue":
                    return ABSENT
                case "Ref":
                    return self.names.get(argument, f"arn:{argument}")
                case "Fn::GetAtt":
                    name, attribute = argument if isinstance(argument, list) else argument.split(".")
                    return self.arn(name, attribute)
                case "Fn::Sub":
                    text, own = (argument, {}) if isinstance(argument, str) else argument
                    own = {name: self.value(value) for name, value in own.items()}
                    return re.sub(r"\$\{([^}]+)}", lambda found: self.placeholder(found[1], own), text)
                case "Fn::Select":
                    return self.value(argument[1])[argument[0]]
                case "Fn::Split":
                    return self.value(argument[1]).split(argument[0])
                case "Fn::FindInMap":
                    table, row, column = map(self.value, argument)
                    return OIDC["Mappings"][table][row][column]
                case "Fn::If":
                    return self.value(argument[1 if self.truth(OIDC["Conditions"][argument[0]]) else 2])
        return {key: self.value(one) for key, one in node.items()}

    def truth(self, test):
        left, right = map(self.value, test["Fn::Equals"])
        return left == right

    def placeholder(self, name, own):
        return own.get(name) or self.names.get(name) or self.arn(*name.split("."))

    def arn(self, name, attribute):
        assert attribute == "Arn", attribute
        properties = OIDC["Resources"][name]["Properties"]
        if "RoleName" in properties:
            return f"arn:aws:iam::{ACCOUNT}:role/{self.value(properties['RoleName'])}"
        return f"arn:aws:s3:::github-oidc-{name.lower()}-1"

    def may(self, role, action, resource, boundary=None, **context):
        policies = [parse_policy_document(one["PolicyDocument"]) for one in self.resources[role]["Policies"]]
        if self.resources[role].get("ManagedPolicyArns"):
            policies.append(parse_policy_document(POWER_USER))
        limits = [[parse_policy_document(boundary)]] if boundary else []
        return evaluate(request(action, resource, **context), policies, *limits).decision == "Allow"


# What AWS's PowerUserAccess says, without what it adds of IAM and Organizations to look at.
POWER_USER = {
    "Statement": [{"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"}]
}
ADMINISTRATOR = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def request(action, resource, **context):
    return EvalContext(
        principal_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/any/session",
        principal_type="AssumedRole",
        principal_account=ACCOUNT,
        action=action,
        resource_arn=resource,
        region=REGION,
        service_context={name.replace("_", ":", 1).lower(): value for name, value in context.items()},
    )


# ---- Whom the role of the workflow trusts ----------------------------------------------------------------------------

OURS = "acme/shop/.github/workflows"


def taken(resolved, **claims):
    """Whether a token of GitHub gets the role."""
    token = {
        "aud": "sts.amazonaws.com",
        "sub": "repo:acme@1/shop@2:environment:production",
        "repository_id": "2",
        "job_workflow_ref": f"{OURS}/release.yml@refs/tags/v1.2.3",
    } | claims
    document = resolved.resources["Deploy"]["AssumeRolePolicyDocument"]
    context = request("sts:AssumeRoleWithWebIdentity", "")
    context.service_context = {
        f"token.actions.githubusercontent.com:{name}": value for name, value in token.items() if value is not None
    }
    # A trust policy names no resource.
    policy = {"Statement": [statement | {"Resource": "*"} for statement in document["Statement"]]}
    return evaluate(context, [parse_policy_document(policy)]).decision == "Allow"


def test_the_release_of_a_tag_deploys_to_production():
    assert taken(Resolved())


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://github.com/acme"},
        {"sub": "repo:acme@1/shop@2:environment:staging"},
        {"sub": "repo:acme@1/shop@2:ref:refs/tags/v1.2.3"},
        {"sub": "repo:acme/shop:environment:production"},
        {"repository_id": "3"},
        {"repository_id": None},
        {"job_workflow_ref": None},
        {"job_workflow_ref": f"{OURS}/deploy.yml@refs/heads/staging"},
        {"job_workflow_ref": f"{OURS}/checks.yml@refs/tags/v1.2.3"},
        {"job_workflow_ref": f"{OURS}/release.yml@refs/heads/feature"},
        {"job_workflow_ref": "other/shop/.github/workflows/release.yml@refs/tags/v1.2.3"},
        {"job_workflow_ref": "acme/shop-tools/.github/workflows/release.yml@refs/tags/v1.2.3"},
    ],
)
def test_no_other_token_deploys_to_production(claims):
    assert not taken(Resolved(), **claims)


@pytest.mark.parametrize(
    "environment, workflow, trusted",
    [
        ("development", "deploy.yml@refs/heads/development", True),
        ("development", "deploy.yml@refs/heads/staging", False),
        ("development", "deploy.yml@refs/heads/hotfix/1.2.4", False),
        ("staging", "deploy.yml@refs/heads/staging", True),
        ("staging", "deploy.yml@refs/heads/hotfix/1.2.4", True),
        ("staging", "deploy.yml@refs/heads/development", False),
        ("staging", "release.yml@refs/tags/v1.2.3", False),
        ("production", "deploy.yml@refs/heads/hotfix/1.2.4", False),
    ],
)
def test_an_environment_takes_its_own_workflow_and_branches(environment, workflow, trusted):
    claims = {"sub": f"repo:acme@1/shop@2:environment:{environment}", "job_workflow_ref": f"{OURS}/{workflow}"}
    assert taken(Resolved(Environment=environment), **claims) is trusted


def test_a_repository_without_ids_in_its_subject_is_told_by_its_number():
    resolved = Resolved(Repository="acme/shop")
    assert taken(resolved, sub="repo:acme/shop:environment:production")
    assert not taken(resolved, sub="repo:acme/shop:environment:production", repository_id="3")


def workflow(name):
    return yaml.safe_load((WORKFLOWS / name).read_text())


def deploying_jobs():
    """Workflow, job and step of each job that deploys."""
    for path in sorted(WORKFLOWS.glob("*.yml")):
        for name, job in workflow(path.name)["jobs"].items():
            for step in job.get("steps", []):
                if step.get("uses") == "./.github/actions/deploy":
                    yield path.name, job, step


def test_the_workflows_that_deploy_are_those_that_are_trusted():
    trusted = {row["From"].split("@")[0] for row in OIDC["Mappings"]["Workflows"].values()}
    assert {name for name, _, _ in deploying_jobs()} == trusted
    for row in OIDC["Mappings"]["Workflows"].values():
        name, ref = row["From"].split("@")
        # PyYAML reads the key `on` as a truth value.
        pushed = workflow(name)[True]["push"]
        kind, pattern = ref.removeprefix("refs/").split("/", 1)
        assert pattern in pushed["tags" if kind == "tags" else "branches"], row


# ---- What the role of the workflow may do ----------------------------------------------------------------------------


def stack_arn(name):
    return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/0b1c"


@pytest.mark.parametrize("name", [STACK, f"{STACK}-Data-1ABC"])
@pytest.mark.parametrize(
    "action",
    "CreateChangeSet DescribeEvents ListChangeSets "
    "ContinueUpdateRollback RollbackStack CancelUpdateStack DeleteStack".split(),
)
def test_the_pipeline_explains_and_recovers_its_stack_and_nested_ones(name, action):
    assert Resolved().may("Deploy", f"cloudformation:{action}", stack_arn(name))


@pytest.mark.parametrize("name", ["users-staging", "github-oidc", "users-productions", "other-users-production"])
@pytest.mark.parametrize("action", "CreateChangeSet DescribeEvents DeleteStack RollbackStack UpdateStack".split())
def test_the_pipeline_leaves_other_stacks_alone(name, action):
    assert not Resolved().may("Deploy", f"cloudformation:{action}", stack_arn(name))


@pytest.mark.parametrize(
    "action, resource",
    [
        # Only CloudFormation's role makes anything.
        ("cloudformation:CreateStack", stack_arn(STACK)),
        ("cloudformation:UpdateStack", stack_arn(STACK)),
        # A person has switched it on.
        ("cloudformation:UpdateTerminationProtection", stack_arn(STACK)),
        ("cloudformation:SetStackPolicy", stack_arn(STACK)),
        # Packages that it deleted can be had back.
        ("s3:DeleteObjectVersion", "arn:aws:s3:::github-oidc-packages-1/key"),
        ("s3:DeleteBucket", "arn:aws:s3:::github-oidc-packages-1"),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/{STACK}-LoginRole-1"),
        ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-Login-1"),
        ("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{STACK}-Table-1"),
    ],
)
def test_the_pipeline_itself_makes_and_reads_nothing(action, resource):
    assert not Resolved().may("Deploy", action, resource, iam_PassedToService="cloudformation.amazonaws.com")


# What deploy/stack calls, by its command, and what of the stack or the bucket it calls it on.
CALLS = {
    "cloudformation:ContinueUpdateRollback": stack_arn(STACK),
    "cloudformation:DescribeStacks": stack_arn(STACK),
    "cloudformation:DescribeEvents": stack_arn(STACK),
    "cloudformation:GetTemplate": stack_arn(f"{STACK}-Data-1"),
    "cloudformation:ListStackResources": stack_arn(f"{STACK}-Data-1"),
    "s3:ListBucket": "arn:aws:s3:::github-oidc-packages-1",
    "s3:DeleteObject": "arn:aws:s3:::github-oidc-packages-1/key",
}


@pytest.mark.parametrize("action", CALLS)
def test_the_pipeline_may_call_what_its_programs_call(action):
    assert Resolved().may("Deploy", action, CALLS[action])


# ---- What CloudFormation's role may do -------------------------------------------------------------------------------

BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/{STACK}-boundary"
OUR_ROLE = f"arn:aws:iam::{ACCOUNT}:role/{STACK}-Data-1ABC-LoginRole-1"


@pytest.mark.parametrize("action", "CreateRole PutRolePolicy AttachRolePolicy PutRolePermissionsBoundary".split())
@pytest.mark.parametrize(
    "boundary, allowed",
    [(BOUNDARY, True), (None, False), ("arn:aws:iam::aws:policy/AdministratorAccess", False), (f"{BOUNDARY}-2", False)],
)
def test_a_role_gets_rights_only_within_the_boundary(action, boundary, allowed):
    context = {"iam_PermissionsBoundary": boundary} if boundary else {}
    assert Resolved().may("Execution", f"iam:{action}", OUR_ROLE, **context) is allowed


@pytest.mark.parametrize(
    "action, resource",
    [
        ("iam:DeleteRolePermissionsBoundary", OUR_ROLE),
        ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/other-LoginRole-1"),
        ("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/users-staging-LoginRole-1"),
        ("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/{STACK}-github-deploy"),
        ("iam:UpdateAssumeRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/{STACK}-github-deploy"),
        ("iam:AttachRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/{STACK}-cloudformation"),
        ("iam:DeleteRole", f"arn:aws:iam::{ACCOUNT}:role/{STACK}-cloudformation"),
        ("iam:UpdateRole", f"arn:aws:iam::{ACCOUNT}:role/{STACK}-cloudformation"),
        ("iam:CreatePolicyVersion", BOUNDARY),
        ("iam:DeletePolicy", BOUNDARY),
        ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/{STACK}-eve"),
        ("iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/{STACK}-eve"),
        ("iam:CreateOpenIDConnectProvider", f"arn:aws:iam::{ACCOUNT}:oidc-provider/example.com"),
    ],
)
def test_a_template_lifts_no_limit_of_the_pipeline(action, resource):
    assert not Resolved().may("Execution", action, resource, iam_PermissionsBoundary=BOUNDARY)


@pytest.mark.parametrize(
    "service, allowed",
    [("apigateway", True), ("lambda", True), ("codedeploy", True), ("firehose", True), ("ec2", False), ("glue", False)],
)
def test_a_role_goes_only_to_services_that_the_template_uses(service, allowed):
    role = Resolved().may("Execution", "iam:PassRole", OUR_ROLE, iam_PassedToService=f"{service}.amazonaws.com")
    assert role is allowed


# What the stack is made of, by a call that makes it.
@pytest.mark.parametrize(
    "action",
    [
        "apigateway:POST",
        "appconfig:CreateApplication",
        "appconfig:CreateHostedConfigurationVersion",
        "cloudformation:CreateStack",
        "cloudfront:CreateDistribution",
        "codedeploy:CreateDeploymentGroup",
        "dynamodb:CreateTable",
        "events:PutRule",
        "kms:CreateKey",
        "lambda:CreateFunction",
        "route53:ChangeResourceRecordSets",
        "ses:CreateEmailIdentity",
    ],
)
def test_cloudformation_makes_what_the_template_has(action):
    assert Resolved().may("Execution", action, "*")


@pytest.mark.parametrize(
    "action, resource",
    [
        ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/eve"),
        ("iam:PutRolePolicy", OUR_ROLE),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/{STACK}-cloudformation"),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/other"),
        ("cloudformation:CreateStack", stack_arn("other")),
        ("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/users-staging-Table-1"),
        ("dynamodb:DeleteTable", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{STACK}-Table-1"),
        ("kms:ScheduleKeyDeletion", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"),
        ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-Login-1"),
        ("s3:GetObject", "arn:aws:s3:::github-oidc-packages-1/key"),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:other"),
    ],
)
def test_the_boundary_limits_a_role_even_with_an_administrator_policy(action, resource):
    boundary = Resolved().resources["Boundary"]["PolicyDocument"]
    limited = evaluate(
        request(action, resource), [parse_policy_document(ADMINISTRATOR)], [parse_policy_document(boundary)]
    )
    assert limited.decision != "Allow"


def named(name, kind):
    """The ARN of a resource of the template, as AWS would name it."""
    place = f"{REGION}:{ACCOUNT}"
    match kind:
        case "AWS::DynamoDB::Table":
            return f"arn:aws:dynamodb:{place}:table/{STACK}-{name}-1"
        case "AWS::Events::EventBus":
            return f"arn:aws:events:{place}:event-bus/{STACK}"
        case "AWS::KMS::Key":
            return f"arn:aws:kms:{place}:key/1"
        case "AWS::KinesisFirehose::DeliveryStream":
            return f"arn:aws:firehose:{place}:deliverystream/{STACK}-{name}-1"
        case "AWS::Lambda::Alias":
            return f"arn:aws:lambda:{place}:function:{STACK}-{name}-1:live"
        case "AWS::Lambda::Function":
            return f"arn:aws:lambda:{place}:function:{STACK}-{name}-1"
        case "AWS::OpenSearchService::Domain":
            return f"arn:aws:es:{place}:domain/{name.lower()}-1"
        case "AWS::SES::ConfigurationSet":
            return f"arn:aws:ses:{place}:configuration-set/{name}"
        case "AWS::S3::Bucket":
            return f"arn:aws:s3:::{STACK}-{name.lower()}-1"
        case "AWS::SNS::Topic":
            return f"arn:aws:sns:{place}:{STACK}-{name}-1"
        case "AWS::SQS::Queue":
            return f"arn:aws:sqs:{place}:{STACK}-{name}-1"
    raise ValueError(f"{name}: how is the ARN of {kind} written?")


def arn(words, resources):
    """A resource of a policy, which the template gives as text with ${…}, as AWS would write it."""
    known = {
        "AWS::Partition": "aws",
        "AWS::Region": REGION,
        "AWS::AccountId": ACCOUNT,
        "AWS::StackName": STACK,
        "AWS::URLSuffix": "amazonaws.com",
    }
    # What the root stack gives to those that are nested in it.
    nested = [one for one in resources.values() if one["Type"] == "AWS::CloudFormation::Stack"]
    given = {name: value for one in nested for name, value in one["Properties"]["Parameters"].items()}

    def replaced(found):
        name, _, attribute = found[1].partition(".")
        if name in known:
            return known[name]
        if name not in resources:
            return arn(stack.words(given[name]), resources)
        kind, properties = resources[name]["Type"], resources[name].get("Properties", {})
        for own in ("LogGroupName", "LogStreamName"):
            if not attribute and own in properties and kind.endswith(own.removesuffix("Name")):
                return arn(stack.words(properties[own]), resources)
        whole = named(name, kind)
        if attribute == "StreamArn":
            return f"{whole}/stream/2026-11-29T12:00:00.000"
        # Ref gives the ARN of these, and the name of the others.
        return whole if attribute or kind in ("AWS::Lambda::Alias", "AWS::SNS::Topic") else re.split("[:/]", whole)[-1]

    return re.sub(r"\$\{([^}]+)}", replaced, words)


def policies(resources):
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::Role":
            for policy in properties.get("Policies", []):
                yield name, policy["PolicyDocument"]
        elif resource["Type"] in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"):
            yield name, properties["PolicyDocument"]


@pytest.mark.parametrize("environment", ["everything", "production", "staging", "dev"])
def test_the_boundary_holds_all_that_the_roles_of_the_template_do(environment):
    boundary = parse_policy_document(Resolved().resources["Boundary"]["PolicyDocument"])
    everything = parse_policy_document(ADMINISTRATOR)
    resources = stack.resources(environment)
    seen = 0
    for name, document in policies(resources):
        for statement in document["Statement"]:
            actions, targets = (
                [one] if isinstance(one, str | dict) else one for one in (statement["Action"], statement["Resource"])
            )
            for action in actions:
                for target in targets:
                    resource = arn(stack.words(target), resources)
                    decision = evaluate(request(action, resource), [everything], [boundary]).decision
                    assert decision == "Allow", (
                        f"{name}: {action} on {resource} is not in deploy/github-oidc.yaml's Boundary"
                    )
                    seen += 1
    assert seen > 100


def test_cloudformation_hands_roles_to_all_services_that_the_template_gives_them_to():
    for name, role in stack.resources("everything", "AWS::IAM::Role").items():
        for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
            # A role that people of the account are given goes to no service.
            services = statement["Principal"].get("Service", [])
            for service in [services] if isinstance(services, str) else services:
                assert Resolved().may("Execution", "iam:PassRole", OUR_ROLE, iam_PassedToService=service), name


def test_a_managed_policy_has_room_for_the_boundary():
    document = str(Resolved(StackName="a" * 11 + "-development").resources["Boundary"]["PolicyDocument"])
    assert len(re.sub(r"\s", "", document)) < 6144


def test_the_wrong_order_of_deletion_stops_before_cloudformations_role():
    assert set(OIDC["Resources"]["Boundary"]["DependsOn"]) == {"Deploy", "Execution"}
    for name in ("Deploy", "Execution"):
        assert "Boundary" not in set(stack.references(OIDC["Resources"][name])), (
            f"{name} would have to be made after it"
        )


# ---- Names -----------------------------------------------------------------------------------------------------------

NAMES = [
    "users-dev",
    "users-development",
    "users-test",
    "users-staging",
    "users-production",
    "a-dev",
    "shop-users-production",
]


def test_a_stack_is_named_by_its_stage():
    pattern = OIDC["Parameters"]["StackName"]["AllowedPattern"]
    for name in NAMES:
        assert re.fullmatch(pattern, name), name
    for name in [
        "users",
        "users-prod",
        "users-dev-",
        "users-dev-production",
        "Users-dev",
        "-dev",
        "u" * 20 + "-dev",
        "1-dev",
    ]:
        assert not re.fullmatch(pattern, name), name
    config = tomllib.loads((stack.ROOT / "samconfig.toml").read_text())
    for environment, commands in config.items():
        if environment != "version":
            assert re.fullmatch(pattern, commands["global"]["parameters"]["stack_name"]), environment


def test_no_role_of_one_stack_reaches_what_another_has_made():
    for name in NAMES:
        resolved = Resolved(StackName=name)
        for other in set(NAMES) - {name}:
            assert not resolved.may("Deploy", "cloudformation:DeleteStack", stack_arn(other)), (name, other)
            role = f"arn:aws:iam::{ACCOUNT}:role/{other}-LoginRole-1"
            assert not resolved.may("Execution", "iam:DeleteRole", role), (name, other)


# ---- The workflows ---------------------------------------------------------------------------------------------------


def test_each_deployment_gives_the_action_all_it_takes():
    jobs = list(deploying_jobs())
    assert len(jobs) == 2
    for name, _, step in jobs:
        assert step["with"].keys() == ACTION["inputs"].keys(), name
        # Alarms take back deployments of production alone.
        choices = ("rollback", "recover") if name == "release.yml" else ("recover",)
        for choice in choices:
            offered = workflow(name)[True]["workflow_dispatch"]["inputs"][choice]
            assert offered["options"] == ["on", "off"], name
            # On a push there are no inputs.
            assert step["with"][choice] == f"${{{{ inputs.{choice} || '{offered['default']}' }}}}", name


def test_every_variable_of_an_environment_comes_from_an_output():
    told = {output["Description"].removeprefix("the variable ") for output in OIDC["Outputs"].values()}
    contributing = (stack.ROOT / "CONTRIBUTING.md").read_text()
    for name, _, step in deploying_jobs():
        for variable in re.findall(r"vars\.(\w+)", str(step["with"])):
            assert variable in told | {"AWS_REGION", "STACK_NAME"}, f"{name}: {variable}"
            assert f"`{variable}`" in contributing, variable


def test_the_credentials_outlast_the_job():
    (credentials,) = (step for step in ACTION["runs"]["steps"] if "configure-aws-credentials" in step.get("uses", ""))
    duration = credentials["with"]["role-duration-seconds"]
    assert duration <= OIDC["Resources"]["Deploy"]["Properties"]["MaxSessionDuration"]
    for name, job, _ in deploying_jobs():
        assert job["timeout-minutes"] * 60 < duration, name


def step_at(words):
    (found,) = (
        at for at, step in enumerate(ACTION["runs"]["steps"]) if words in step.get("run", "") + step.get("uses", "")
    )
    return found


def test_nothing_is_installed_or_unpacked_once_there_are_credentials():
    assert step_at("pip") < step_at("configure-aws-credentials")
    assert step_at("sha256sum") < step_at("configure-aws-credentials")


def test_a_failed_deployment_says_why_and_only_that():
    steps = ACTION["runs"]["steps"]
    explain = steps[step_at("stack explain")]
    assert explain["if"] == f"failure() && steps.{steps[step_at('bin/sam')]['id']}.outcome == 'failure'"
    assert step_at("stack recover") < step_at("bin/sam") < step_at("stack explain")
    assert steps[step_at("stack recover")]["if"] == "inputs.recover == 'on'"
    # Packages go only after all is well.
    assert step_at("deploy/smoke") < step_at("stack prune") and "if" not in steps[step_at("stack prune")]


def test_no_value_of_an_expression_becomes_a_command():
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", ""), step["name"]


# ---- deploy/override -------------------------------------------------------------------------------------------------

override = scripts.load("override")


def overridden(text, *given):
    return tomllib.loads(override.override(text, "production", dict(given)))["production"]["deploy"]["parameters"]


CONFIG = """
[dev.deploy.parameters]
parameter_overrides = ["Stage=dev", "Rollback=on"]

[production.deploy.parameters]
confirm_changeset = true
parameter_overrides = [
    "Stage=production",
    # said anew with every deployment
    "Rollback=on",
    'ProductName="Example Test"',
]
"""


def test_a_parameter_is_replaced_or_added_and_the_rest_stays():
    changed = overridden(CONFIG, ("Rollback", "off"), ("PermissionsBoundary", "arn:aws:iam::1:policy/a"))
    assert changed["parameter_overrides"] == [
        "Stage=production",
        'ProductName="Example Test"',
        "Rollback=off",
        "PermissionsBoundary=arn:aws:iam::1:policy/a",
    ]
    assert changed["confirm_changeset"] is True
    text = override.override(CONFIG, "production", {"Rollback": "off"})
    assert tomllib.loads(text)["dev"] == tomllib.loads(CONFIG)["dev"]
    assert "# said anew with every deployment" in text


def test_a_name_that_another_begins_with_is_left_alone():
    changed = overridden(CONFIG.replace("Rollback=on", "RollbackAll=on"), ("Rollback", "off"))
    assert changed["parameter_overrides"][1:] == ["RollbackAll=on", 'ProductName="Example Test"', "Rollback=off"]


def test_samconfig_can_be_overridden_in_every_environment(tmp_path):
    for environment in tomllib.loads((stack.ROOT / "samconfig.toml").read_text()).keys() - {"version"}:
        file = tmp_path / environment
        file.write_text((stack.ROOT / "samconfig.toml").read_text())
        assert override.main(["--config-env", environment, "--config-file", str(file), "Rollback=off"]) == 0
        found = tomllib.loads(file.read_text())[environment]["deploy"]["parameters"]["parameter_overrides"]
        assert stack.overrides(found)["Rollback"] == "off"


@pytest.mark.parametrize(
    "given", ["Rollback", "Rollback=o n", 'Rollback="on"', "Roll back=on", "=on", "Rollback=on\nStage=dev"]
)
def test_what_sam_would_take_apart_is_refused(given, capsys):
    with pytest.raises(SystemExit):
        override.main(["--config-env", "dev", given])
    assert "without spaces and quotes" in capsys.readouterr().err


def test_an_environment_that_is_not_there_is_named(tmp_path, capsys):
    file = tmp_path / "samconfig.toml"
    file.write_text(CONFIG)
    assert override.main(["--config-env", "qa", "--config-file", str(file), "Rollback=off"]) == 1
    assert "no parameter_overrides for the environment qa" in capsys.readouterr().err
    assert file.read_text() == CONFIG


# ---- deploy/stack ----------------------------------------------------------------------------------------------------

deploy_stack = scripts.load("stack")
ROOT_STACK, NESTED_STACK = stack_arn(STACK), stack_arn(f"{STACK}-Data-1")
BEGAN = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture
def cloudformation():
    client = boto3.client("cloudformation", region_name=REGION, aws_access_key_id="id", aws_secret_access_key="secret")
    with Stubber(client) as stubber:
        client.stub = stubber
        yield client
        stubber.assert_no_pending_responses()


@pytest.fixture
def clock(monkeypatch):
    """Waiting takes no time."""
    waited = []
    monkeypatch.setattr(deploy_stack.time, "sleep", waited.append)
    return waited


def run(cloudformation, *given, s3=None):
    options = deploy_stack.arguments(list(given))
    stacks = deploy_stack.Stacks(cloudformation)
    if options.command == "prune":
        return deploy_stack.prune(stacks, options, s3)
    return getattr(deploy_stack, options.command)(stacks, options)


def state(status, name=STACK):
    return {"Stacks": [{"StackName": name, "StackId": ROOT_STACK, "StackStatus": status, "CreationTime": BEGAN}]}


def is_in(cloudformation, *statuses):
    """What describe-stacks says, one after the other: first asked by name, then by id."""
    for at, status in enumerate(statuses):
        cloudformation.stub.add_response("describe_stacks", state(status), {"StackName": ROOT_STACK if at else STACK})


def no_stack(cloudformation):
    cloudformation.stub.add_client_error("describe_stacks", "ValidationError", f"Stack with id {STACK} does not exist")


def change_sets(cloudformation, name, *summaries):
    cloudformation.stub.add_response("list_change_sets", {"Summaries": list(summaries)}, {"StackName": name})


def events(cloudformation, query, *found):
    cloudformation.stub.add_response(
        "describe_events", {"OperationEvents": list(found)}, query | {"Filters": {"FailedEvents": True}}
    )


def event(name, reason, minute=1, **more):
    return {
        "EventType": "STACK_EVENT",
        "LogicalResourceId": name,
        "ResourceType": "AWS::Lambda::Function",
        "ResourceStatus": "CREATE_FAILED",
        "ResourceStatusReason": reason,
        "Timestamp": BEGAN + timedelta(minutes=minute),
    } | more


def explained(cloudformation, capsys):
    assert run(cloudformation, "explain", STACK, "--since", "2026-11-29T12:00:00Z") == 0
    return capsys.readouterr().out


def test_a_failure_in_a_nested_stack_is_explained_by_its_own_events(cloudformation, capsys):
    is_in(cloudformation, "UPDATE_ROLLBACK_COMPLETE")
    change_sets(cloudformation, ROOT_STACK)
    inner = {"ResourceType": "AWS::CloudFormation::Stack", "PhysicalResourceId": NESTED_STACK}
    # Of a stack's own events it is itself the resource.
    own = {"ResourceType": "AWS::CloudFormation::Stack", "PhysicalResourceId": ROOT_STACK}
    events(
        cloudformation,
        {"StackName": ROOT_STACK},
        event(STACK, "The following resource(s) failed to update: [Data].", 3, **own),
        event("Data", "Embedded stack was not successfully updated", 2, **inner),
    )
    change_sets(cloudformation, NESTED_STACK)
    events(
        cloudformation,
        {"StackName": NESTED_STACK},
        event("Login", "Rate exceeded (Service: Lambda, Status Code: 429)", 1),
        event("Refresh", "Resource creation cancelled", 1),
        event("Logout", "of the deployment before", -60),
    )
    out = explained(cloudformation, capsys).splitlines()
    assert out[0] == f"{STACK} is UPDATE_ROLLBACK_COMPLETE."
    # The cause first.
    assert "Login (AWS::Lambda::Function) CREATE_FAILED: Rate exceeded" in out[1] and f"{STACK}-Data-1" in out[1]
    assert "Embedded stack" in out[2] and "failed to update" in out[3]
    assert out[4:] == ["1 more were cancelled because of these."]


def test_why_a_change_set_was_refused_is_told(cloudformation, capsys):
    is_in(cloudformation, "REVIEW_IN_PROGRESS")
    refused = {
        "ChangeSetId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:changeSet/samcli-deploy2/1",
        "ChangeSetName": "new",
    }
    earlier = {
        "ChangeSetId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:changeSet/samcli-deploy1/1",
        "ChangeSetName": "old",
    }
    change_sets(
        cloudformation,
        ROOT_STACK,
        refused
        | {"Status": "FAILED", "CreationTime": BEGAN + timedelta(minutes=1), "StatusReason": "See DescribeEvents."},
        earlier | {"Status": "FAILED", "CreationTime": BEGAN - timedelta(days=1)},
    )
    events(cloudformation, {"StackName": ROOT_STACK})
    events(
        cloudformation,
        {"ChangeSetName": refused["ChangeSetId"]},
        {
            "EventType": "VALIDATION_ERROR",
            "LogicalResourceId": "UploadsBucket",
            "ResourceType": "AWS::S3::Bucket",
            "Timestamp": BEGAN + timedelta(minutes=1),
            "ValidationName": "NAME_CONFLICT_VALIDATION",
            "ValidationStatusReason": "The bucket exists already",
            "ValidationPath": "/Resources/UploadsBucket",
        },
    )
    out = explained(cloudformation, capsys)
    assert "NAME_CONFLICT_VALIDATION: The bucket exists already at /Resources/UploadsBucket" in out
    assert "new change set FAILED: See DescribeEvents." in out and "old" not in out


def test_a_stuck_stack_is_reported_with_the_command_that_recovers_it(cloudformation, capsys):
    is_in(cloudformation, "UPDATE_ROLLBACK_FAILED")
    change_sets(cloudformation, ROOT_STACK)
    events(cloudformation, {"StackName": ROOT_STACK})
    assert f"`deploy/stack recover {STACK}`" in explained(cloudformation, capsys)


def test_a_stack_that_is_not_there_is_no_failure_to_explain(cloudformation, capsys):
    no_stack(cloudformation)
    assert "There is no stack" in explained(cloudformation, capsys)


@pytest.mark.parametrize(
    "states, calls",
    [
        (["UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_COMPLETE"], ["continue_update_rollback"]),
        (["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"], ["cancel_update_stack"]),
        (["UPDATE_FAILED", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"], ["rollback_stack"]),
        (["ROLLBACK_COMPLETE", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"], ["delete_stack"]),
        (["ROLLBACK_FAILED", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"], ["delete_stack"]),
        (["DELETE_FAILED", "DELETE_COMPLETE"], ["delete_stack"]),
        (
            ["CREATE_FAILED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE", "DELETE_COMPLETE"],
            ["rollback_stack", "delete_stack"],
        ),
        # What goes on by itself is waited for.
        (["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"], []),
        (
            ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_COMPLETE"],
            ["continue_update_rollback"],
        ),
        # What can be deployed is left alone, above all a stack that serves.
        (["CREATE_COMPLETE"], []),
        (["UPDATE_COMPLETE"], []),
        (["UPDATE_ROLLBACK_COMPLETE"], []),
        (["REVIEW_IN_PROGRESS"], []),
    ],
)
def test_a_stuck_stack_is_brought_where_it_can_be_deployed(cloudformation, clock, capsys, states, calls):
    remaining = list(calls)
    for at, status in enumerate(states):
        cloudformation.stub.add_response("describe_stacks", state(status), {"StackName": ROOT_STACK if at else STACK})
        if remaining and deploy_stack.RECOVERY.get(status) == remaining[0]:
            cloudformation.stub.add_response(remaining.pop(0), {}, {"StackName": ROOT_STACK})
    assert run(cloudformation, "recover", STACK) == 0
    assert f"{STACK} is {states[-1]}: it can be deployed." in capsys.readouterr().out
    assert clock == [deploy_stack.PAUSE] * (len(states) - 1)


def test_an_unrecoverable_stack_is_tried_once_and_fails(cloudformation, clock, capsys):
    is_in(cloudformation, "UPDATE_ROLLBACK_FAILED")
    cloudformation.stub.add_response("continue_update_rollback", {}, {"StackName": ROOT_STACK})
    for status in ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"):
        cloudformation.stub.add_response("describe_stacks", state(status), {"StackName": ROOT_STACK})
    is_in(cloudformation, "UPDATE_ROLLBACK_FAILED")
    change_sets(cloudformation, ROOT_STACK)
    events(cloudformation, {"StackName": ROOT_STACK}, event("Login", "the package is gone", minute=60 * 24 * 365 * 100))
    assert run(cloudformation, "recover", STACK) == 1
    out = capsys.readouterr().out
    assert "is still UPDATE_ROLLBACK_FAILED" in out and "the package is gone" in out


def test_the_wait_for_a_stack_that_never_settles_times_out(cloudformation, clock):
    is_in(cloudformation, *["CREATE_IN_PROGRESS"] * (deploy_stack.LOOKS + 1))
    with pytest.raises(TimeoutError, match="CREATE_IN_PROGRESS"):
        run(cloudformation, "recover", STACK)


def test_nothing_is_recovered_without_a_stack(cloudformation, capsys):
    no_stack(cloudformation)
    assert run(cloudformation, "recover", STACK) == 0
    assert "nothing to recover" in capsys.readouterr().out


@pytest.mark.parametrize(
    "error", [("AccessDenied", "not authorized"), ("ValidationError", "1 validation error detected")]
)
def test_another_error_is_not_taken_for_a_missing_stack(cloudformation, error):
    cloudformation.stub.add_client_error("describe_stacks", *error)
    with pytest.raises(ClientError):
        run(cloudformation, "recover", STACK)


DAY = timedelta(days=1)


def bucket(packages):
    """A bucket with these packages, by their age in days."""
    s3 = boto3.client("s3", region_name=REGION, aws_access_key_id="id", aws_secret_access_key="secret")
    s3.stub = Stubber(s3)
    now = datetime.now(UTC)
    contents = [{"Key": key, "LastModified": now - DAY * age} for key, age in packages.items()]
    s3.stub.add_response("list_objects_v2", {"Contents": contents}, {"Bucket": "packages"})
    s3.stub.activate()
    return s3


def templates(cloudformation, name, original, processed, nested=()):
    summaries = [
        {
            "LogicalResourceId": "Data",
            "ResourceType": "AWS::CloudFormation::Stack",
            "PhysicalResourceId": one,
            "ResourceStatus": "CREATE_COMPLETE",
            "LastUpdatedTimestamp": BEGAN,
        }
        for one in nested
    ]
    for stage, body in (("Original", original), ("Processed", processed)):
        cloudformation.stub.add_response(
            "get_template", {"TemplateBody": body}, {"StackName": name, "TemplateStage": stage}
        )
    cloudformation.stub.add_response("list_stack_resources", {"StackResourceSummaries": summaries}, {"StackName": name})


def test_a_package_goes_when_it_is_old_and_no_template_names_it(cloudformation, capsys):
    is_in(cloudformation, "UPDATE_COMPLETE")
    original = "CodeUri: s3://packages/1111\nTemplateURL: https://s3.eu-central-1.amazonaws.com/packages/5555.template"
    processed = '{"Resources": {"Login": {"Code": {"S3Bucket": "packages", "S3Key": "2222"}}}}'
    templates(cloudformation, ROOT_STACK, original, processed, [NESTED_STACK])
    templates(cloudformation, NESTED_STACK, "CodeUri: s3://packages/3333", "{}")
    s3 = bucket(
        {"1111": 400, "2222": 400, "3333": 400, "5555.template": 400, "4444": 31, "6666": 29, "7777.template": 31}
    )
    deleted = {"Objects": [{"Key": "4444"}, {"Key": "7777.template"}], "Quiet": True}
    s3.stub.add_response("delete_objects", {}, {"Bucket": "packages", "Delete": deleted})
    assert run(cloudformation, "prune", STACK, "--bucket", "packages", s3=s3) == 0
    assert "2 packages deleted, 5 kept." in capsys.readouterr().out
    s3.stub.assert_no_pending_responses()


def test_where_all_packages_are_needed_none_is_deleted(cloudformation, capsys):
    is_in(cloudformation, "CREATE_COMPLETE")
    templates(cloudformation, ROOT_STACK, "CodeUri: s3://packages/1111", "{}")
    assert run(cloudformation, "prune", STACK, "--bucket", "packages", s3=bucket({"1111": 400})) == 0
    assert "0 packages deleted, 1 kept." in capsys.readouterr().out


@pytest.mark.parametrize(
    "status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"]
)
def test_no_package_goes_while_a_stack_moves(cloudformation, capsys, status):
    is_in(cloudformation, status)
    assert run(cloudformation, "prune", STACK, "--bucket", "packages") == 0
    assert "nothing is deleted" in capsys.readouterr().out


def test_a_package_that_cannot_be_deleted_is_named(cloudformation, capsys):
    is_in(cloudformation, "CREATE_COMPLETE")
    templates(cloudformation, ROOT_STACK, "{}", "{}")
    s3 = bucket({"4444": 31})
    s3.stub.add_response("delete_objects", {"Errors": [{"Key": "4444", "Code": "AccessDenied", "Message": "no"}]})
    assert run(cloudformation, "prune", STACK, "--bucket", "packages", s3=s3) == 1
    assert "4444: AccessDenied no" in capsys.readouterr().err


def test_a_first_deployment_that_failed_is_cleared_away(clock, capsys):
    """On an emulator, from the template that cannot be made to the one that can."""
    with scripts.emulator() as emulator:
        client = emulator.client("cloudformation")
        missing = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Fn::ImportValue": "missing"}}}
        client.create_stack(StackName=STACK, TemplateBody=json.dumps({"Resources": {"Missing": missing}}))
        with pytest.raises(Exception, match="ROLLBACK"):
            client.get_waiter("stack_create_complete").wait(
                StackName=STACK, WaiterConfig={"Delay": 0, "MaxAttempts": 500}
            )
        assert run(client, "recover", STACK) == 0
        assert "delete-stack" in capsys.readouterr().out
        client.create_stack(StackName=STACK, TemplateBody='{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}')
        client.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 0, "MaxAttempts": 500})
