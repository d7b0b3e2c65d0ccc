"""A mail server for the whole-system tests, on aiosmtpd: one that we did not write.

usage: mailbox.py [PORT [HOST]]

Prints its port, then one JSON line for each mail, before it is answered: what was told as taken is told here.
The recipient's local part asks for a fault at RCPT: soft (451), hard (550); after the final dot: drop.
"""

import asyncio
import email
import email.policy
import json
import sys

from aiosmtpd.smtp import SMTP

AT_RCPT = {"soft": "451 4.7.1 try again later", "hard": "550 5.1.1 no such user"}


class Box:
    def __init__(self):
        self.dropped = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = AT_RCPT.get(address.split("@")[0])
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        headers = {name: str(value) for name, value in mail.items()}
        print(json.dumps({"to": envelope.rcpt_tos, "headers": headers, "text": mail.get_content()}), flush=True)
        name = headers.get("Message-ID")
        if envelope.rcpt_tos[0].startswith("drop") and name not in self.dropped:
            self.dropped.add(name)
            server.transport.abort()
        return "250 2.0.0 queued as 4711"


async def main():
    box = Box()
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    host = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    make = lambda: SMTP(box, enable_SMTPUTF8=True)
    listener = await asyncio.get_running_loop().create_server(make, host, port)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await listener.serve_forever()


asyncio.run(main())
