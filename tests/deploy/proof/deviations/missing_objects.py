"""S3 tells nobody that an object is missing who may not list its bucket
(<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>)."""


def hide_missing_objects() -> None:
    """The emulator's S3 says 404 of a missing object to everybody. AWS says 403 to those who may not list the bucket,
    and so does the emulator now: a function that has to tell the two apart needs the right."""
    from ministack.core.iam_evaluator import enforce
    from ministack.core.responses import get_region
    from ministack.core.router import extract_access_key_id
    from ministack.services import s3

    handle_alone = s3.handle_request

    async def handle(method, path, headers, body, query_params, *args, **kwargs):
        answer = await handle_alone(method, path, headers, body, query_params, *args, **kwargs)
        if answer[0] != 404 or b"<Code>NoSuchKey</Code>" not in answer[2] or kwargs.get("internal"):
            return answer
        bucket = f"arn:aws:s3:::{path.lstrip('/').split('/')[0]}"
        key = extract_access_key_id(headers, query_params)
        if enforce(key, "s3:ListBucket", "s3", get_region(), resource_arn=bucket) is None:
            return answer
        return 403, answer[1], b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"

    s3.handle_request = handle
