"""Mistakes in pools and in a System's defaults; each comment has the beginning of mypy's message for its line."""

from __future__ import annotations

from slither_actors import PoolSpec, System

PoolSpec(sise=2)  # call-arg: Unexpected keyword argument "sise" for "PoolSpec"
PoolSpec(size="2")  # arg-type: Argument "size" to "PoolSpec" has incompatible type "str"
PoolSpec(affinity="stict")  # arg-type: Argument "affinity" to "PoolSpec" has incompatible type
PoolSpec(max_restarts="many")  # arg-type: Argument "max_restarts" to "PoolSpec" has incompatible type
System({"a": {"sise": 2}})  # dict-item: Dict entry 0 has incompatible type
System({"a": {"size": "2"}})  # dict-item: Dict entry 0 has incompatible type
System(dispatch={"tiemout": 3})  # arg-type: Argument "dispatch" to "System" has incompatible type
System(dispatch={"batch_size": "many"})  # arg-type: Argument "dispatch" to "System" has incompatible type
System(dispatch={"ordering": "sorted"})  # arg-type: Argument "dispatch" to "System" has incompatible type
