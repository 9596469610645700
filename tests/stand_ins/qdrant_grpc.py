"""The two calls of Qdrant's gRPC interface that Simile makes, in front of the stand-in of the REST one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from qdrant_client import grpc as messages
from qdrant_client.conversions.conversion import GrpcToRest
from qdrant_client.grpc.points_service_pb2_grpc import PointsServicer, add_PointsServicer_to_server
from qdrant_client.grpc.qdrant_pb2_grpc import QdrantServicer, add_QdrantServicer_to_server

from tests.stand_ins.qdrant import QdrantStandIn
from tests.stand_ins.qdrant_refusals import Refusal
from tests.stand_ins.qdrant_routes import upsert

__all__ = ["GrpcFault", "GrpcStandIn"]

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    500: grpc.StatusCode.INTERNAL,
}


@dataclass(frozen=True)
class GrpcFault:
    """What a call ends with; `done`: although it was carried out."""

    code: grpc.StatusCode
    details: str = "asked for"
    done: bool = False


class GrpcStandIn(PointsServicer, QdrantServicer):
    """Context manager; `port` is where it listens, `written` counts the points that it took.

    `fault` may name how a call ends.
    """

    def __init__(self, rest: QdrantStandIn, tls: grpc.ServerCredentials | None = None) -> None:
        self.rest = rest
        self.written = 0
        self.fault: Callable[[], GrpcFault | None] = lambda: None
        # Qdrant takes 32 MB, Python's server 4 unless told otherwise.
        options = [("grpc.max_receive_message_length", 32 * 2**20)]
        self._server = grpc.server(ThreadPoolExecutor(4), options=options)
        add_PointsServicer_to_server(self, self._server)
        add_QdrantServicer_to_server(self, self._server)
        address = "127.0.0.1:0"
        self.port = (
            self._server.add_secure_port(address, tls) if tls else self._server.add_insecure_port(address)
        )

    def __enter__(self) -> "GrpcStandIn":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None)

    def HealthCheck(self, request: Any, context: Any) -> Any:
        """Answered without a key, too."""
        return messages.HealthCheckReply(title="qdrant", version=self.rest.version)

    def Upsert(self, request: Any, context: Any) -> Any:
        """Put the points where the REST stand-in finds them."""
        if self.rest.api_key and ("api-key", self.rest.api_key) not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "Must provide an API key")
        fault = self.fault()
        if fault and not fault.done:
            context.abort(fault.code, fault.details)
        points = [GrpcToRest.convert_point_struct(point) for point in request.points]
        try:
            with self.rest.lock:
                upsert(self.rest, request.collection_name, points)
        except Refusal as refusal:
            context.abort(_CODES[refusal.status], refusal.error)
        if fault:
            context.abort(fault.code, fault.details)
        self.written += len(points)
        done = messages.UpdateResult(operation_id=0, status=messages.UpdateStatus.Completed)
        return messages.PointsOperationResponse(result=done)
