"""Numbers that come from a parameter
(<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>)."""


def take_numbers_from_parameters() -> None:
    """Every parameter of a stack is text, and CloudFormation makes a number of it where a property is one. The emulator hands
    the text on, and its poller of queues then fails on MaximumConcurrency. It is a number now."""
    from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

    handlers = _RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
    create_alone = handlers["create"]

    def create(logical_id, properties, stack):
        scaling = properties.get("ScalingConfig", {})
        numbers = {name: int(value) for name, value in scaling.items()}
        return create_alone(logical_id, properties | ({"ScalingConfig": numbers} if numbers else {}), stack)

    handlers["create"] = create
