"""A pump and a valve served by pymodbus, for an agent that must get along with a foreign Modbus stack.

    plant_room.py tcp            Modbus TCP on a free port of loopback
    plant_room.py rtu PORT       Modbus RTU at 19200 8N1 on a serial port (a PTY knows no parity)

One line of JSON on standard output for what happens: first {"ready": "host:port" or the port}, then
{"unit": 1, "register": 103, "value": 4500} for each register that the master writes.

    unit 1   Grundfos E-pump behind a CIM   (Grundfos, Modbus for Grundfos pumps, literature 6012947)
    unit 2   Belimo Energy Valve            (Belimo's register tables; OpenBMC's profile of the EV ARX-E)

Registers are counted from 0, as on the wire.
"""

import asyncio
import json
import sys

from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

PUMP, VALVE = 1, 2
NOT_AVAILABLE = 0xFFFF
REMOTE, ON = 1 << 8, 1 << 9


def block(first, last, held):
    """Registers `first` to `last`: what is `held`, the rest not available."""
    words = [held.get(address, NOT_AVAILABLE) for address in range(first, last + 1)]
    return SimData(first, values=words, datatype=DataType.REGISTERS)


PUMP_MAP = [
    block(0, 31, {0: 0, 29: 38, 30: 7, 31: 1}),
    block(100, 106, {100: 0, 101: 0, 102: 0, 103: 6000, 104: 0, 105: 0, 106: 0}),
    # Status, feedback, modes, no alarm, no warning.
    block(200, 216, {200: ON, 201: 6000, 202: 0, 203: 0, 204: 0, 205: 0}),
    # Head 0.741 bar, 9.2 m3/h, 60 %, 2900 rpm, 742 W (high word first), inlet 1.510 bar, coolant 303.15 K.
    block(300, 356, {300: 741, 301: 92, 302: 6000, 303: 2900, 307: 6000, 311: 0, 312: 742, 314: 1510, 321: 30315}),
]
VALVE_MAP = [
    # 40 % open; 1.2 l/s; 30.5 and 24.25 °C; 1234 W (low word first); no override; an Energy Valve.
    block(0, 34, {0: 4000, 1: 0, 2: 0, 3: 4, 4: 4000, 7: 120, 8: 190, 19: 3050, 21: 2425, 33: 1234, 34: 0}),
    # Firmware; without a master for 120 s it closes.
    block(103, 118, {103: 42, 104: 0, 105: 0, 106: 10000, 108: 2, 109: 120, 116: 0, 117: 3, 118: 1}),
    block(157, 158, {157: 0, 158: 0}),
]


def say(**words):
    print(json.dumps(words), flush=True)


def runs(registers):
    """The pump does what it is told, at once, while it is on and remote."""
    control, set_point = registers[100], registers[103]
    remote, on = control & 1, control & 2
    registers[200] = (REMOTE if remote else 0) | (ON if on or not remote else 0)
    if remote:
        registers[302] = registers[307] = registers[201] = set_point if on else 0


def moves(registers):
    """The valve is where it is told to be, at once."""
    registers[4] = registers[0]


def device(unit, blocks, follow):
    async def act(_function, start, address, _count, registers, written):
        # pymodbus stores what is written after this, so what follows from it is seen by the next request.
        if written is not None:
            for offset, value in enumerate(written):
                registers[address + offset - start] = value
                say(unit=unit, register=address + offset, value=value)
        follow(registers)

    return SimDevice(unit, simdata=blocks, action=act)


async def main(words):
    room = [device(PUMP, PUMP_MAP, runs), device(VALVE, VALVE_MAP, moves)]
    match words:
        case ["tcp"]:
            server = ModbusTcpServer(room, address=("127.0.0.1", 0))
            await server.serve_forever(background=True)
            host, port = server.transport.sockets[0].getsockname()
            say(ready=f"{host}:{port}")
        case ["rtu", port]:
            server = ModbusSerialServer(room, port=port, baudrate=19200)
            await server.serve_forever(background=True)
            say(ready=port)
        case _:
            sys.exit(__doc__)
    await server.serving


asyncio.run(main(sys.argv[1:]))
