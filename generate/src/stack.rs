//! The stack of an area: for each function its role, its log group and, behind the API, its integration and routes.

use std::fmt::Write;

use functions::{AREAS, FALLBACK};
use shared::http::{ANY, Area, Route, Trigger, Worker};

use crate::output::{NOTICE, Output, camel_case};
use crate::policy::Policy;
use crate::variables;

pub fn write(output: &mut Output) {
    output.owns("stacks", "yaml");
    for area in AREAS {
        let stack = Stack::new(&area);
        output.file(format!("stacks/{}.yaml", area.name), stack.text());
    }
}

/// Parameters of an area's stack besides the variables of its functions, and the root template's values.
pub fn parameters(area: &Area) -> Vec<(&'static str, &'static str)> {
    let mut parameters = vec![
        ("ServiceName", "!Ref AWS::StackName"),
        ("Stage", "!Ref Stage"),
        ("LogDays", "!FindInMap [Stages, !Ref Stage, LogDays]"),
        ("Configuration", "!GetAtt Configuration.VersionNumber"),
        ("EveryFunction", "!Ref EveryFunction"),
        ("Tracing", "!Ref Tracing"),
        ("PermissionsBoundary", "!Ref PermissionsBoundary"),
    ];
    let stack = Stack::new(area);
    if stack.has_routes() {
        parameters.push(("Api", "!Ref Api"));
    }
    if stack.is_watched() {
        parameters.extend([
            ("Rollback", "!Ref Rollback"),
            ("DeployRole", "!GetAtt DeployRole.Arn"),
            ("AlarmTopic", "!If [IsWatched, !Ref AlarmTopic, \"\"]"),
            ("ServerErrors", "!If [IsWatched, !Ref ServerErrors, \"\"]"),
        ]);
    }
    let needed = [
        ("KeysTableKeyArn", "!If [MakesTables, !GetAtt KeysTableKey.Arn, !Ref KeysTableKeyArn]"),
        ("MailQueueArn", "!GetAtt MailQueue.Arn"),
        ("ImageQueueArn", "!GetAtt ImageQueue.Arn"),
        ("EmailEventsQueueArn", "!GetAtt EmailEventsQueue.Arn"),
        ("WebhookQueueArn", "!GetAtt WebhookQueue.Arn"),
        ("ImportQueueArn", "!GetAtt ImportQueue.Arn"),
        ("TableStreamArn", "!If [MakesTables, !GetAtt Table.StreamArn, !Ref TableStreamArn]"),
        ("FailedEventsBucketArn", "!GetAtt FailedEventsBucket.Arn"),
        ("MailAddress", "!Ref MailAddress"),
    ];
    let resources = stack.resources();
    parameters.extend(needed.iter().filter(|(name, _)| resources.contains(&format!("!Ref {name}"))));
    parameters
}

struct Stack<'a> {
    area: &'a Area,
    routes: Vec<&'a Route>,
}

impl<'a> Stack<'a> {
    fn new(area: &'a Area) -> Self {
        let fallback = (FALLBACK.area == area.name).then_some(&FALLBACK);
        Self { area, routes: area.routes.iter().chain(fallback).collect() }
    }

    fn has_routes(&self) -> bool {
        !self.routes.is_empty()
    }

    /// Whether a function has an alarm of its own.
    fn is_watched(&self) -> bool {
        !self.area.workers.is_empty() || self.routes.iter().any(|route| route.shifts_gradually)
    }

    fn text(&self) -> String {
        let Area { name, description, .. } = self.area;
        let mut text = format!(
            "# {NOTICE}\nAWSTemplateFormatVersion: \"2010-09-09\"\nTransform: AWS::Serverless-2016-10-31\n\
             # It does not know AutoPublishAliasAllProperties among Globals, where SAM has it.\n\
             Metadata: {{cfn-lint: {{config: {{ignore_checks: [E3724]}}}}}}\n\
             Description: \"{description}: the functions in functions/src/{name}\"\n\nParameters:\n"
        );
        let variables = variables::of_area(self.area);
        let names = parameters(self.area).into_iter().map(|(name, _)| name.to_owned());
        for parameter in names.chain(variables.iter().map(|variable| variable.parameter.clone())) {
            text += &format!("  {parameter}: {{Type: String}}\n");
        }
        if self.is_watched() {
            text += STAGES;
        }
        text += CONDITIONS;
        if self.is_watched() {
            text += WATCHED;
            if !self.area.workers.is_empty() {
                text += HAS_ALARMS;
            }
        }
        text += GLOBALS;
        for variable in &variables {
            text += &format!("        {}: !Ref {}\n", variable.name, variable.parameter);
        }
        text += &format!("\nResources:\n{}\n", self.resources().trim_end());
        if !self.area.workers.is_empty() {
            text += "\nOutputs:\n";
            for worker in self.area.workers {
                text += &format!("  {0}: {{Value: !Ref {0}}}\n", camel_case(worker.name));
            }
        }
        text
    }

    fn resources(&self) -> String {
        let mut text = String::new();
        for route in &self.routes {
            text += &route_resources(route);
        }
        for worker in self.area.workers {
            text += &worker_resources(worker);
        }
        if self.has_routes() {
            text += &gateway_role(self.area.name, &self.routes);
        }
        text
    }
}

/// What differs by stage.
const STAGES: &str = "
Mappings:
  # Whether traffic shifts gradually to a new version, which SAM reads from a mapping and from no condition. How many pictures are
  # read at once: a new account runs ten functions at once, and most of those are to be left to the routes. And how many endpoints are
  # delivered to at once: in production each of twenty, so that none waits for another's.
  Stages:
    test: {Shifts: false, Pictures: 2, Webhooks: 2}
    dev: {Shifts: false, Pictures: 2, Webhooks: 2}
    staging: {Shifts: false, Pictures: 5, Webhooks: 5}
    production: {Shifts: true, Pictures: 5, Webhooks: 20}
";

const CONDITIONS: &str = "
Conditions:
  HasBoundary: !Not [!Equals [!Ref PermissionsBoundary, \"\"]]
";

/// Where a deployment is rolled back.
const WATCHED: &str = "  IsProduction: !Equals [!Ref Stage, production]
  TakesBack: !And [!Condition IsProduction, !Equals [!Ref Rollback, \"on\"]]
";

const HAS_ALARMS: &str = "  IsWatched: !Or [!Condition IsProduction, !Equals [!Ref Stage, staging]]\n";

const GLOBALS: &str = "
Globals:
  Function:
    # The package of all functions, so that they share one target folder; each names its binary.
    CodeUri: ../functions
    Runtime: provided.al2023
    Architectures: [arm64]
    Handler: bootstrap
    Tracing: !Ref Tracing
    AutoPublishAlias: live
    # New code and new properties make a new version. A parameter's new value does not, for SAM compares them unresolved: it
    # changes the configuration's version, so the description, and a version is replaced when its description changes.
    AutoPublishAliasAllProperties: true
    # A version that was rolled back is deleted, so that the same code can be published again; and those that were replaced do
    # not fill the account's storage.
    VersionDeletionPolicy: Delete
    Environment:
      # An empty variable counts as missing.
      Variables:
";

fn route_resources(route: &Route) -> String {
    let id = camel_case(route.name);
    let what = match route.operations {
        [operation] if operation.method == ANY => "all that no route takes".to_owned(),
        operations => operations.iter().map(|operation| format!("{operation:?}")).collect::<Vec<_>>().join(", "),
    };
    let mut text = function(&Function {
        name: route.name,
        what: &what,
        memory: route.memory(),
        timeout: route.timeout,
        variables: &[],
        // A crash is an answer of 5xx, which the alarm on the API's answers sees.
        alarms: route.shifts_gradually.then(|| "!Ref ServerErrors".to_owned()),
    });
    text += &role(route.name, &Policy::new(route.all_grants(), route.limit), "");
    text += &logs(route.name);
    let area = camel_case(route.area);
    _ = write!(
        text,
        "  {id}Integration:\n    Type: AWS::ApiGatewayV2::Integration\n    Properties:\n      ApiId: !Ref Api\n      \
         IntegrationType: AWS_PROXY\n      IntegrationUri: !Ref {id}.Alias\n      CredentialsArn: !GetAtt {area}GatewayRole.Arn\n      \
         PayloadFormatVersion: \"2.0\"\n\n"
    );
    for (name, key) in route_keys(route) {
        _ = write!(
            text,
            "  {name}:\n    Type: AWS::ApiGatewayV2::Route\n    Properties:\n      ApiId: !Ref Api\n      RouteKey: {key}\n      \
             Target: !Sub integrations/${{{id}Integration}}\n\n"
        );
    }
    text
}

/// The resources and the keys of API Gateway's routes. A resource is named after its key: a key that changed its resource would be
/// made anew before the old one is deleted, and API Gateway takes no key twice.
pub fn route_keys(route: &Route) -> Vec<(String, String)> {
    if route.operations.iter().any(|operation| operation.method == ANY) {
        return vec![("DefaultRoute".to_owned(), "$default".to_owned())];
    }
    let named = route.endpoints().map(|(method, path)| {
        let words = path.split(|character: char| !character.is_ascii_alphanumeric()).map(camel_case);
        let id = camel_case(method) + &words.collect::<String>() + "Route";
        (id, format!("{method} {}", path.replace("{*asset}", "{asset+}")))
    });
    named.collect()
}

struct Function<'a> {
    name: &'a str,
    what: &'a str,
    memory: u32,
    timeout: u32,
    variables: &'a [(&'a str, &'a str)],
    /// Those that take a new version back, for a function that gets it gradually.
    alarms: Option<String>,
}

fn function(function: &Function<'_>) -> String {
    let Function { name, what, memory, timeout, variables, alarms } = function;
    let id = camel_case(name);
    let mut text = format!(
        "  {id}:\n    Type: AWS::Serverless::Function\n    Metadata: {{BuildMethod: rust-cargolambda, BuildProperties: \
         {{Binary: {name}}}}}\n    Properties:\n      Description: !Sub \"{what} (configuration ${{Configuration}})\"\n      \
         VersionDescription: !Sub \"configuration ${{Configuration}}\"\n      Role: !GetAtt {id}Role.Arn\n      MemorySize: {memory}\n      Timeout: {timeout}\n      \
         LoggingConfig: {{LogGroup: !Ref {id}Logs}}\n"
    );
    if !variables.is_empty() {
        let variables: Vec<_> = variables.iter().map(|(name, value)| format!("{name}: \"{value}\"")).collect();
        text += &format!("      Environment: {{Variables: {{{}}}}}\n", variables.join(", "));
    }
    if let Some(alarms) = alarms {
        text += &format!(
            "      DeploymentPreference:\n        Enabled: !FindInMap [Stages, !Ref Stage, Shifts]\n        Type: !If \
             [TakesBack, Canary10Percent5Minutes, AllAtOnce]\n        Role: !Ref DeployRole\n        Alarms: !If [TakesBack, \
             [{alarms}], [!Ref AWS::NoValue]]\n"
        );
    }
    text
}

/// What bounds a role, where something does.
const BOUNDARY: &str = "      PermissionsBoundary: !If [HasBoundary, !Ref PermissionsBoundary, !Ref AWS::NoValue]\n";

fn role(name: &str, policy: &Policy, more: &str) -> String {
    let id = camel_case(name);
    let mut text = format!(
        "\n  {id}Role:\n    Type: AWS::IAM::Role\n    Properties:\n      AssumeRolePolicyDocument:\n        \
         Version: \"2012-10-17\"\n        Statement: [{{Effect: Allow, Principal: {{Service: lambda.amazonaws.com}}, Action: \
         sts:AssumeRole}}]\n{BOUNDARY}      ManagedPolicyArns: [!Ref EveryFunction]\n"
    );
    if !policy.is_empty() || !more.is_empty() {
        text += &format!(
            "      Policies:\n        - PolicyName: {name}\n          PolicyDocument:\n            \
             Version: \"2012-10-17\"\n            Statement:\n{}{more}",
            policy.statements(14)
        );
    }
    text
}

fn logs(name: &str) -> String {
    let id = camel_case(name);
    format!(
        "\n  {id}Logs:\n    Type: AWS::Logs::LogGroup\n    Properties:\n      LogGroupName: !Sub \
         /aws/lambda/${{ServiceName}}/{name}\n      RetentionInDays: !Ref LogDays\n\n"
    )
}

fn alarm(name: &str) -> String {
    let id = camel_case(name);
    format!(
        "  {id}Errors:\n    Type: AWS::CloudWatch::Alarm\n    Condition: IsWatched\n    Properties:\n      \
         AlarmDescription: The function {name} crashes or times out.\n      Namespace: AWS/Lambda\n      \
         MetricName: Errors\n      Dimensions: [{{Name: FunctionName, Value: !Ref {id}}}]\n      Statistic: Sum\n      Period: 60\n      \
         EvaluationPeriods: 3\n      DatapointsToAlarm: 2\n      ComparisonOperator: GreaterThanThreshold\n      Threshold: 0\n      \
         TreatMissingData: notBreaching\n      AlarmActions: [!Ref AlarmTopic]\n\n"
    )
}

fn worker_resources(worker: &Worker) -> String {
    let Worker { name, trigger, grants, timeout, memory, variables, .. } = worker;
    let mut text = function(&Function {
        name,
        what: match trigger {
            Trigger::Queue { name, .. } => name,
            Trigger::Stream { description, .. } | Trigger::Schedule { description, .. } => description,
        },
        memory: *memory,
        timeout: *timeout,
        variables,
        alarms: Some(format!("!Ref {}Errors, !Ref ServerErrors", camel_case(worker.name))),
    });
    let mut receive = String::new();
    match trigger {
        Trigger::Queue { name: queue, batch, concurrency } => {
            _ = write!(
                text,
                "      Events:\n        Messages:\n          Type: SQS\n          Properties:\n            \
                 Queue: !Ref {queue}Arn\n            BatchSize: {batch}\n            \
                 FunctionResponseTypes: [ReportBatchItemFailures]\n            \
                 ScalingConfig: {{MaximumConcurrency: {concurrency}}}\n"
            );
            receive = format!(
                "              - Sid: ReceiveMessages\n                Effect: Allow\n                \
                 Action: [sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes]\n                \
                 Resource: !Ref {queue}Arn\n"
            );
        }
        Trigger::Stream { prefixes, .. } => {
            text += &stream(prefixes);
            READ_STREAM.clone_into(&mut receive);
        }
        Trigger::Schedule { rate, description } => {
            _ = write!(
                text,
                "      # A run that failed is made up for by the next.\n      \
                 EventInvokeConfig: {{MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60}}\n      Events:\n        \
                 Schedule:\n          Type: Schedule\n          Properties:\n            Description: {description}\n            \
                 Schedule: {rate}\n            RetryPolicy: {{MaximumRetryAttempts: 0}}\n"
            );
        }
    }
    text += &role(name, &Policy::new(grants.iter(), None), &receive);
    text += &logs(name);
    text + &alarm(name)
}

/// One record that fails does not take others along, and those that were done are not done again. The stream forgets a record after
/// 24 hours; before that it goes to the bucket, whole.
fn stream(prefixes: &[&str]) -> String {
    let prefixes: Vec<_> = prefixes.iter().map(|prefix| format!("{{\"prefix\": \"{prefix}\"}}")).collect();
    let pattern = format!(
        "{{\"eventName\": [\"INSERT\"], \"dynamodb\": {{\"Keys\": {{\"sk\": {{\"S\": [{}]}}}}}}}}",
        prefixes.join(", ")
    );
    format!(
        "      Events:
        Records:
          Type: DynamoDB
          Properties:
            Stream: !Ref TableStreamArn
            StartingPosition: TRIM_HORIZON
            BatchSize: 100
            BisectBatchOnFunctionError: true
            FunctionResponseTypes: [ReportBatchItemFailures]
            MaximumRecordAgeInSeconds: 79200
            DestinationConfig: {{OnFailure: {{Type: S3, Destination: !Ref FailedEventsBucketArn}}}}
            FilterCriteria: {{Filters: [{{Pattern: '{pattern}'}}]}}
"
    )
}

const READ_STREAM: &str = "              - Sid: ReadStream
                Effect: Allow
                Action: [dynamodb:DescribeStream, dynamodb:GetRecords, dynamodb:GetShardIterator]
                Resource: !Ref TableStreamArn
              # The action knows no resources.
              - Sid: ListStreams
                Effect: Allow
                Action: dynamodb:ListStreams
                Resource: \"*\"
              - Sid: KeepFailedEvents
                Effect: Allow
                Action: s3:PutObject
                Resource: !Sub \"${FailedEventsBucketArn}/*\"
              - Sid: FindFailedEventsBucket
                Effect: Allow
                Action: s3:ListBucket
                Resource: !Ref FailedEventsBucketArn
";

/// The role by which API Gateway invokes the area's functions: one, where each function would need a permission of its own.
fn gateway_role(area: &str, routes: &[&Route]) -> String {
    let area = camel_case(area);
    let mut aliases = String::new();
    for route in routes {
        aliases += &format!("                  - !Ref {}.Alias\n", camel_case(route.name));
    }
    format!(
        "  {area}GatewayRole:\n    Type: AWS::IAM::Role\n    Properties:\n      AssumeRolePolicyDocument:\n        \
         Version: \"2012-10-17\"\n        Statement:\n          - Effect: Allow\n            \
         Principal: {{Service: apigateway.amazonaws.com}}\n            Action: sts:AssumeRole\n{BOUNDARY}      Policies:\n        \
         - PolicyName: invoke\n          PolicyDocument:\n            Version: \"2012-10-17\"\n            Statement:\n              \
         - Sid: InvokeFunctions\n                Effect: Allow\n                Action: lambda:InvokeFunction\n                \
         Resource:\n{aliases}"
    )
}
