#!/usr/bin/env python3
"""Lists, watches and downloads the sessions of an svdr coordinator.

An example of a client without any code of svdr: the messages come from the server's reflection, the keys from
`svdr-agent key certificate KEY --client DIR --coordinator KEY`. It verifies the signatures of TLS only. Run
`svdr-agent verify` on the transcript before you rely on what this script prints.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICE = "svdr.v1.SessionService"
CALL_TIMEOUT = 60  # seconds, for calls with one answer
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds between attempts, doubled each time
OPTIONS = [
    # The name in every coordinator's certificate. The key identifies the coordinator.
    ("grpc.ssl_target_name_override", "svdr"),
    # A statement has up to 4 MiB; its receipt and framing take less than 64 KiB more.
    ("grpc.max_receive_message_length", (4 << 20) + (64 << 10)),
    # Detects a lost connection within a minute, even in a quiet session.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_reconnect_backoff_ms", 5_000),
]
# After one of these, the same call may work later. Every other code is final.
TEMPORARY = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
}


class Coordinator:
    """A coordinator, with the messages that its reflection describes."""

    def __init__(self, address: str, client: Path) -> None:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=(client / "coordinator.crt").read_bytes(),
            private_key=(client / "client.key").read_bytes(),
            certificate_chain=(client / "client.crt").read_bytes(),
        )
        self._channel = grpc.secure_channel(address, credentials, OPTIONS)
        self._pool = DescriptorPool(ProtoReflectionDescriptorDatabase(self._channel))
        self._methods = self._pool.FindServiceByName(SERVICE).methods_by_name

    def call(self, name: str, fields: dict[str, Any]) -> Any:
        """Calls a method and returns its answer, or an iterator over its answers."""
        method = self._methods[name]
        request, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        streams = method.server_streaming
        make = self._channel.unary_stream if streams else self._channel.unary_unary
        call = make(f"/{SERVICE}/{name}", request.SerializeToString, answer.FromString)
        return call(request(**fields), timeout=None if streams else CALL_TIMEOUT)

    def entries(self, name: str, session: str, position: int) -> Iterator[Message]:
        """The entries of a session from a position on. Continues there after the stream breaks.

        `Watch` waits for more entries and never ends. `GetTranscript` ends after the last entry.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                for answer in self.call(name, {"session": session, "from": position}):
                    if not answer.HasField("entry"):
                        continue  # nothing new, but the connection works
                    if answer.entry.position != position:
                        raise SystemExit(f"expected entry {position}, received {answer.entry.position}")
                    yield answer.entry
                    position, pause = position + 1, FIRST_PAUSE
                if name != "Watch":
                    return
            except grpc.RpcError as error:
                if error.code() not in TEMPORARY:
                    raise
                complain(f"interrupted at {position}, retrying: {error.details()}")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def describe(self, entry: Message) -> str:
        """An entry on one line: position, kind, signer, and the short fields of the statement."""
        payload_type = entry.statement.payload_type
        kind = payload_type.removeprefix("application/vnd.svdr.v1.").removesuffix("+protobuf")
        try:
            described = self._pool.FindMessageTypeByName(f"svdr.v1.{kind.capitalize()}")
            statement = GetMessageClass(described).FromString(entry.statement.payload)
        except (KeyError, DecodeError):
            return printable(f"{entry.position}  {payload_type}, which this coordinator does not describe")
        words = [statement.header.signer]
        if statement.header.drill:
            words.append("DRILL")
        # Lists and messages would fill the screen.
        plain = (FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_BYTES)
        words += [
            f"{field.name}: {value}"
            for field, value in statement.ListFields()
            if field.type not in plain and isinstance(value, (str, int))
        ]
        return printable(f"{entry.position}  {kind:<11}  {'  '.join(words)}")


def printable(text: str) -> str:
    """The text without characters that could control a terminal, because other members wrote it."""
    return "".join(character if character.isprintable() else "?" for character in text)


def complain(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)


def list_sessions(coordinator: Coordinator) -> None:
    for one in coordinator.call("ListSessions", {}).sessions:
        states = one.DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number
        state = states[one.state].name.removeprefix("SESSION_STATE_").lower()
        drill = "DRILL  " if one.drill else ""
        print(printable(f"{one.session}  {state:<10}  {one.length} statements  {drill}{one.reason}"))


def watch(coordinator: Coordinator, session: str, position: int) -> None:
    for entry in coordinator.entries("Watch", session, position):
        print(coordinator.describe(entry), flush=True)


def transcript(coordinator: Coordinator, session: str, out: Path) -> None:
    """Writes every statement and its receipt as DSSE envelopes, one a line, for `svdr-agent verify`."""
    with out.open("x", encoding="utf-8") as file:
        try:
            count = 0
            for entry in coordinator.entries("GetTranscript", session, 0):
                for envelope in (entry.statement, entry.receipt):
                    file.write(MessageToJson(envelope, indent=None) + "\n")
                count += 1
        except BaseException:
            out.unlink()  # an incomplete transcript would look complete
            raise
    print(f"{count} statements in {out}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--coordinator", required=True, metavar="HOST:PORT", help="the address of the coordinator")
    parser.add_argument("--client", required=True, type=Path, metavar="DIR", help="the folder with the client's key")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print the sessions, the newest first")
    watching = commands.add_parser("watch", help="print a session's statements as they arrive")
    watching.add_argument("session")
    watching.add_argument("--from", dest="position", type=int, default=0, help="the first position to print")
    downloading = commands.add_parser("transcript", help="download a session's transcript")
    downloading.add_argument("session")
    downloading.add_argument("--out", required=True, type=Path, metavar="FILE", help="must not exist yet")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    try:
        coordinator = Coordinator(asked.coordinator, asked.client)
        if asked.command == "list":
            list_sessions(coordinator)
        elif asked.command == "watch":
            watch(coordinator, asked.session, asked.position)
        else:
            transcript(coordinator, asked.session, asked.out)
    except grpc.RpcError as error:
        complain(f"error: {error.code().name}: {error.details()}")
        sys.exit(1)
    except OSError as error:
        complain(f"error: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
