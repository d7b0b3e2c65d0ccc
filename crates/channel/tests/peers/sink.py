"""A mail server for the tests, on aiosmtpd: one that we did not write, with faults on demand.

usage: sink.py MODE CERTIFICATE KEY        MODE: plain, starttls (required, with AUTH user/tiger-77) or tls

Prints its port, then one JSON line for each mail. The recipient's local part asks for a fault:
soft, hard (refused at RCPT), full, spam (refused after the final dot), afterdata (drops the connection after
the final dot), slow (never answers the final dot), leave (accepts, then closes the connection).
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult

AT_RCPT = {"soft": "451 4.7.1 try again later", "hard": "550 5.1.1 no such user"}
AFTER_DOT = {"full": "452 4.3.1 disk full", "spam": "554 5.7.1 looks like spam"}


class Sink:
    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = AT_RCPT.get(address.split("@")[0])
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server, session, envelope):
        fault = envelope.rcpt_tos[0].split("@")[0]
        if fault in AFTER_DOT:
            return AFTER_DOT[fault]
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        report = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": bool(session.ssl) or MODE == "tls",
            "user": session.auth_data.login.decode() if session.auth_data else None,
            "connection": session.peer[1],
            "headers": {name: str(value) for name, value in mail.items()},
            "text": mail.get_content(),
        }
        print(json.dumps(report), flush=True)
        if fault == "afterdata":
            server.transport.abort()
        if fault == "slow":
            await asyncio.Event().wait()
        if fault == "leave":
            asyncio.get_running_loop().create_task(leave(server))
        return "250 2.0.0 queued as 4711"


async def leave(server):
    """Closes the connection once the answer is out, and says so."""
    port = server.session.peer[1]
    while server.session and server.envelope and server.envelope.rcpt_tos:
        await asyncio.sleep(0)
    server.transport.close()
    print(json.dumps({"closed": port}), flush=True)


def authenticate(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (b"user", b"tiger-77")
    return AuthResult(success=right, handled=False, auth_data=data)


def protocol(context):
    if MODE == "starttls":
        return SMTP(Sink(), tls_context=context, require_starttls=True, authenticator=authenticate,
                    auth_required=True, enable_SMTPUTF8=True)
    return SMTP(Sink(), enable_SMTPUTF8=True)


async def main(certificate, key):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    listener = await asyncio.get_running_loop().create_server(
        lambda: protocol(context), "127.0.0.1", 0, ssl=context if MODE == "tls" else None)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await listener.serve_forever()


warnings.simplefilter("ignore", DeprecationWarning)
MODE = sys.argv[1]
asyncio.run(main(sys.argv[2], sys.argv[3]))
