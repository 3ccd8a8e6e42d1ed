#!/usr/bin/python3
"""Passes on what handlers publish by multicast. Each server, or each machine with servers, has one.

    python3 multicast.py 'epgm://10.9.0.1;239.192.1.1:5555' RECV_SPEC...

10.9.0.1 is this machine's own address in that network: libzmq wants no name of an interface. One
bad packet from that network ends this program, so have systemd start it again (Restart=always).
"""
import sys

import zmq

FASTEST_KBIT = 100_000  # handlers set zmq.RATE to the same or less; libzmq has 100 by itself
SEND_HWM = 100_000      # as handlers have

context = zmq.Context()
heard, passed = context.socket(zmq.SUB), context.socket(zmq.PUB)
passed.sndhwm = SEND_HWM
heard.rate = FASTEST_KBIT
heard.subscribe(b"")
heard.connect(sys.argv[1])
for recv_spec in sys.argv[2:]:
    passed.connect(recv_spec)
while True:
    passed.send_multipart(heard.recv_multipart(copy=False), copy=False)
