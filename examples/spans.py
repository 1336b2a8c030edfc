"""Make OpenTelemetry spans of the steps of opening: `python examples/spans.py ws://HOST/`.

Needs opentelemetry-sdk; prints the spans to the console.
"""

import asyncio
import sys

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

import wsclient

tracer = trace.get_tracer("wsclient")


class Spans:
    """A `trace` that makes a span of each step, under the span that is current."""

    def __init__(self) -> None:
        self.open: dict[int, trace.Span] = {}

    def __call__(self, step: wsclient.ConnectStep) -> None:
        if step.phase == "start":
            span = tracer.start_span(
                f"websocket {step.step}",
                kind=trace.SpanKind.CLIENT,
                attributes={
                    "server.address": step.url.host or "",
                    "server.port": step.url.port or 0,
                    "wsclient.connection": step.connection,
                },
            )
            self.open[step.connection] = span
            return
        span = self.open.pop(step.connection)
        if step.error is not None:
            span.record_exception(step.error)
            span.set_status(trace.StatusCode.ERROR, type(step.error).__name__)
        span.end()


async def main(url: str) -> None:
    async with wsclient.ClientSession(trace=Spans()) as session:
        with tracer.start_as_current_span("open a feed"):
            ws = await session.ws_connect(url)
        await ws.close()


provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(provider)
asyncio.run(main(sys.argv[1]))
