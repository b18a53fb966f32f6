"""Sparkplug payloads by pysparkplug, one request a line, one line of JSON in return.

    decode TOPIC HEX   {"timestamp": …, "seq": …, "metrics": [{"name", "alias", "type", "value"}, …]}
    encode JSON        {"hex": …}, of [{"name" or "alias", "type", "value"}, …], as a command

Data is read with the birth of its node or device, which must have been decoded before: it tells names and types.
Only the codec is used, so its MQTT client is left out.
"""

import json
import sys
from unittest.mock import MagicMock

for name in ("paho", "paho.mqtt", "paho.mqtt.client"):
    sys.modules[name] = MagicMock()

import pysparkplug as spb  # noqa: E402

BIRTHS = {"NBIRTH": spb.NBirth, "DBIRTH": spb.DBirth}
DATA = {"NDATA": spb.NData, "DDATA": spb.DData, "DDEATH": spb.DDeath}
births = {}


def plain(metric):
    value = None if metric.is_null else metric.value
    return {"name": metric.name, "alias": metric.alias, "type": metric.datatype.name, "value": value}


def decode(topic, raw):
    levels = topic.split("/")
    kind, owner = levels[2], tuple(levels[3:])
    if kind == "NDEATH":
        return {"metrics": [plain(spb.NDeath.decode(raw).bd_seq_metric)]}
    if kind in BIRTHS:
        payload = births[owner] = BIRTHS[kind].decode(raw)
    elif kind == "DDEATH":
        payload = DATA[kind].decode(raw)
        return {"timestamp": payload.timestamp, "seq": payload.seq, "metrics": []}
    else:
        payload = DATA[kind].decode(raw, birth=births[owner])
    metrics = [plain(metric) for metric in payload.metrics]
    return {"timestamp": payload.timestamp, "seq": payload.seq, "metrics": metrics}


def encode(metrics):
    made = tuple(
        spb.Metric(
            timestamp=spb.get_current_timestamp(),
            name=metric.get("name"),
            alias=metric.get("alias"),
            datatype=spb.DataType[metric["type"].upper()],
            value=metric["value"],
        )
        for metric in metrics
    )
    command = spb.NCmd(timestamp=spb.get_current_timestamp(), metrics=made)
    return {"hex": command.encode(include_dtypes=True).hex()}


for line in sys.stdin:
    verb, _, rest = line.strip().partition(" ")
    if verb == "decode":
        topic, _, raw = rest.partition(" ")
        answer = decode(topic, bytes.fromhex(raw))
    else:
        answer = encode(json.loads(rest))
    print(json.dumps(answer), flush=True)
