"""Writes and watches a map with the protocol engine `wsproto`, a plain socket and Google's Protobuf.

with_wsproto.py URL IMAGE: IMAGE is schemas/released.binpb. Prints as with_websockets.py does.
"""

import json
import socket
import sys
from urllib.parse import urlsplit

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
)

MAP = "from-python"


def message_classes(path):
    with open(path, "rb") as image:
        files = descriptor_pb2.FileDescriptorSet.FromString(image.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    names = ("tidewire.v1.ClientFrame", "tidewire.v1.ServerFrame")
    types = [pool.FindMessageTypeByName(name) for name in names]
    if hasattr(message_factory, "GetMessageClass"):
        return [message_factory.GetMessageClass(one) for one in types]
    factory = message_factory.MessageFactory(pool)
    return [factory.GetPrototype(one) for one in types]


def say(what, **more):
    print(json.dumps({"heard": what, **more}, ensure_ascii=False, separators=(",", ":")), flush=True)


class Client:
    def __init__(self, url, image):
        self.client_frame, self.server_frame = message_classes(image)
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port))
        self.engine = WSConnection(ConnectionType.CLIENT)
        self.send(Request(host=address.netloc, target="/"))
        self.is_done = False
        self.partial = b""

    def send(self, event):
        self.socket.sendall(self.engine.send(event))

    def frame(self, **body):
        self.send(BytesMessage(data=self.client_frame(**body).SerializeToString()))

    def run(self):
        """Until the key `done` has changed and the server has answered our close."""
        while True:
            data = self.socket.recv(65536)
            self.engine.receive_data(data or None)
            for event in self.engine.events():
                if isinstance(event, CloseConnection):
                    say("close", code=int(event.code))
                    return
                self.on(event)

    def on(self, event):
        if isinstance(event, RejectConnection):
            raise RuntimeError(f"rejected with {event.status_code}")
        if isinstance(event, AcceptConnection):
            self.frame(hello={"protocol_version": 1, "node": 43})
        elif isinstance(event, Ping):
            self.send(event.response())
        elif isinstance(event, BytesMessage):
            self.partial += event.data
            if event.message_finished:
                frame = self.server_frame.FromString(self.partial)
                self.partial = b""
                self.heard(frame)

    def heard(self, frame):
        body = frame.WhichOneof("body")
        if body == "welcome":
            say("welcome", version=frame.welcome.protocol_version)
            self.frame(subscribe={"subscription_id": 1, "map": MAP})
        elif body == "subscribed":
            say("subscribed", id=frame.subscribed.subscription_id)
            put = {"request_id": 1, "kind": 1, "map": MAP, "key": "clé", "value": b'{"by":"wsproto"}'}
            get = {"request_id": 2, "kind": 3, "map": MAP, "key": "clé"}
            self.frame(operations={"operations": [put, get]})
        elif body == "results":
            for one in frame.results.results:
                say("result", request=one.request_id, outcome=one.outcome, value=one.value.decode())
        elif body == "events":
            for one in frame.events.events:
                say("event", key=one.key, value=one.value.decode())
                if one.key == "done" and not self.is_done:
                    self.is_done = True
                    self.send(CloseConnection(code=1000))
        elif body == "error":
            raise RuntimeError(str(frame.error))


Client(*sys.argv[1:]).run()
