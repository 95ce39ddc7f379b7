"""Publishes or plays by WHIP and WHEP with aiortc and says in one line of JSON what was seen.

    python3 rtc.py '{"mode": "play", "url": "http://…/rtc/v1/whep/?…", "seconds": 4, "codec": "video/VP8"}'

It publishes moving pictures of 320x240 and a tone. `codec` and `sound` are the only ones offered; with `rsa` its
certificate is one of RSA. Seconds count from the connection on. It judges nothing.
"""

import asyncio
import datetime
import fractions
import json
import math
import struct
import sys
import urllib.request

import av
from aiortc import (
    MediaStreamTrack,
    RTCCertificate,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCSessionDescription,
    VideoStreamTrack,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

CONNECT = 15  # seconds it may take
RATE = 48000  # samples a second
BLOCK = 960  # samples a frame


class Pictures(VideoStreamTrack):
    """A bright bar that walks through the picture."""

    count = 0

    async def recv(self):
        pts, base = await self.next_timestamp()
        frame = av.VideoFrame(320, 240, "yuv420p")
        for plane, value in zip(frame.planes, (40, 128, 128)):
            plane.update(bytes([value]) * plane.buffer_size)
        luma = frame.planes[0]
        row = bytearray([40]) * luma.line_size
        at = self.count * 4 % 300
        row[at : at + 20] = bytes([220]) * 20
        luma.update(bytes(row) * frame.height)
        frame.pts, frame.time_base = pts, base
        self.count += 1
        return frame


class Tone(MediaStreamTrack):
    """440 Hz."""

    kind = "audio"
    count = 0

    async def recv(self):
        loop = asyncio.get_event_loop()
        if self.count == 0:
            self.begun = loop.time()
        late = self.begun + self.count * BLOCK / RATE - loop.time()
        if late > 0:
            await asyncio.sleep(late)
        frame = av.AudioFrame(format="s16", layout="mono", samples=BLOCK)
        first = self.count * BLOCK
        wave = (int(8000 * math.sin(2 * math.pi * 440 * (first + n) / RATE)) for n in range(BLOCK))
        frame.planes[0].update(struct.pack(f"<{BLOCK}h", *wave))
        frame.pts, frame.sample_rate, frame.time_base = first, RATE, fractions.Fraction(1, RATE)
        self.count += 1
        return frame


def rsa_certificate():
    """One as GStreamer makes it."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - day).not_valid_after(now + day)
    return RTCCertificate(key, builder.sign(key, hashes.SHA256()))


async def drain(track, seen):
    while True:
        try:
            frame = await track.recv()
        except Exception:  # the track's end
            return
        seen[track.kind] += 1
        if track.kind == "video":
            seen["size"] = [frame.width, frame.height]
        else:
            seen["loudest"] = max(seen["loudest"], int(abs(frame.to_ndarray()).max()))


def post(url, sdp):
    head = {"Content-Type": "application/sdp"}
    request = urllib.request.Request(url, data=sdp.encode(), headers=head, method="POST")
    with urllib.request.urlopen(request) as answer:
        return answer.status, answer.headers["Location"], answer.read().decode()


async def main(wish):
    if wish.get("rsa"):
        RTCCertificate.generateCertificate = rsa_certificate
    seen = {"video": 0, "audio": 0, "loudest": 0, "size": None}
    pc = RTCPeerConnection()
    connected = asyncio.Event()
    tasks = []

    @pc.on("connectionstatechange")
    def changed():
        if pc.connectionState == "connected":
            connected.set()

    @pc.on("track")
    def track(track):
        tasks.append(asyncio.ensure_future(drain(track, seen)))

    plays = wish["mode"] == "play"
    for media in (Tone(), Pictures()):
        direction = "recvonly" if plays else "sendonly"
        transceiver = pc.addTransceiver(media.kind if plays else media, direction=direction)
        only = wish.get("codec" if media.kind == "video" else "sound")
        if only:
            side = RTCRtpReceiver if plays else RTCRtpSender
            codecs = side.getCapabilities(media.kind).codecs
            wanted = [codec for codec in codecs if codec.mimeType in (only, "video/rtx")]
            transceiver.setCodecPreferences(wanted)
    await pc.setLocalDescription(await pc.createOffer())
    loop = asyncio.get_event_loop()
    status, location, answer = await loop.run_in_executor(None, post, wish["url"], pc.localDescription.sdp)
    await pc.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
    await asyncio.wait_for(connected.wait(), CONNECT)
    await asyncio.sleep(wish["seconds"])
    stats = [vars(entry) for entry in (await pc.getStats()).values()]
    await pc.close()
    kind = "inbound-rtp" if plays else "outbound-rtp"
    for entry in stats:
        if entry["type"] == kind:
            packets = entry.get("packetsReceived", entry.get("packetsSent"))
            seen[f"{entry['kind']}Packets"] = packets
    print(json.dumps({"status": status, "location": location, **seen}))


asyncio.run(main(json.loads(sys.argv[1])))
