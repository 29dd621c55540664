"""Lambda's Extensions API (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>)."""

import json
import queue


def add_the_extensions_api() -> None:
    """The emulator's Lambda has no Extensions API, so it is added. Without it no function would start: they ship their
    logs from an internal extension."""
    from ministack.core.lambda_runtime import ProvidedWorker

    runtime_api_alone = ProvidedWorker._build_handler_class

    def with_extensions(worker, generation, pending):
        told = queue.Queue()

        class Invocations:
            """The runtime's queue. What the runtime is handed, the extension is told of."""

            def get(self, timeout):
                invocation = pending.get(timeout=timeout)
                told.put(invocation)
                return invocation

        class Handler(runtime_api_alone(worker, generation, Invocations())):
            def do_POST(self):
                if not self.path.endswith("/extension/register"):
                    return super().do_POST()
                self._read_body()
                name = worker.config["FunctionName"]
                self._answer({"functionName": name, "functionVersion": "$LATEST", "handler": "bootstrap"})

            def do_GET(self):
                if not self.path.endswith("/extension/event/next"):
                    return super().do_GET()
                while worker._generation == generation and not worker._stopping:
                    try:
                        request_id, _, deadline, trace, arn = told.get(timeout=0.1)
                    except queue.Empty:
                        continue
                    event = {"eventType": "INVOKE", "requestId": request_id, "deadlineMs": deadline}
                    tracing = {"type": "X-Amzn-Trace-Id", "value": trace or ""}
                    return self._answer(event | {"invokedFunctionArn": arn, "tracing": tracing})
                self._stopped()

            def _answer(self, body):
                encoded = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Lambda-Extension-Identifier", worker.config["FunctionName"])
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(encoded)))
                self.end_headers()
                self.wfile.write(encoded)

        return Handler

    ProvidedWorker._build_handler_class = with_extensions
