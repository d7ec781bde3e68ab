"""Writes and watches a map with the library `websockets` and Protobuf written by hand.

with_websockets.py URL: prints a JSON line for each thing that the server says; ends when key `done` changes.
"""

import asyncio
import json
import struct
import sys

import websockets

MAP = "from-python"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | BYTES) + varint(len(value)) + value


def message(**fields):
    return b"".join(field(int(name[1:]), value) for name, value in fields.items())


def read_varint(data, at):
    number = shift = 0
    while True:
        number |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return number, at


def fields(data):
    """The fields of a message as pairs of number and value."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = read_varint(data, at)
        elif kind == FIXED64:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        elif kind == FIXED32:
            value, at = struct.unpack_from("<I", data, at)[0], at + 4
        elif kind == BYTES:
            length, at = read_varint(data, at)
            value, at = data[at : at + length], at + length
        else:
            raise ValueError(f"wire type {kind}")
        yield tag >> 3, value


HELLO, OPERATIONS, SUBSCRIBE = 2, 3, 4
WELCOME, RESULTS, EVENTS, SUBSCRIBED, ERROR = 2, 3, 4, 5, 8
PUT, GET = 1, 3


def operation(request, kind, key, value=b""):
    return field(OPERATIONS, field(1, message(f1=request, f2=kind, f3=MAP, f4=key, f5=value)))


def say(what, **more):
    print(json.dumps({"heard": what, **more}, ensure_ascii=False, separators=(",", ":")), flush=True)


async def main(url):
    async with websockets.connect(url, compression=None) as socket:
        await socket.send(field(HELLO, message(f1=1, f2=42)))
        async for frame in socket:
            for number, body in fields(frame):
                if number == 1:
                    continue  # the clock
                if await heard(socket, number, body):
                    return


async def heard(socket, number, body):
    """True: everything has been seen."""
    if number == WELCOME:
        say("welcome", version=dict(fields(body))[1])
        await socket.send(field(SUBSCRIBE, message(f1=1, f2=MAP)))
    elif number == SUBSCRIBED:
        say("subscribed", id=dict(fields(body))[1])
        await socket.send(operation(1, PUT, "clé", '{"by":"websockets"}'))
        await socket.send(operation(2, GET, "clé"))
    elif number == RESULTS:
        for _, result in fields(body):
            values = dict(fields(result))
            say("result", request=values[4], outcome=values[1], value=values.get(9, b"").decode())
    elif number == EVENTS:
        for event in (dict(fields(value)) for at, value in fields(body) if at == 2):
            say("event", key=event[4].decode(), value=event.get(5, b"").decode())
            if event[4] == b"done":
                return True
    elif number == ERROR:
        raise RuntimeError(dict(fields(body)))
    return False


asyncio.run(main(sys.argv[1]))
