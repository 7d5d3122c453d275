"""What is known of the requests of a pass, and the report in the shape of each version."""

import json
import os
from dataclasses import dataclass, field

from tensorrt_llm import OLD, WITHOUT_ENGINES, __version__


@dataclass
class RequestRecord:
    id: int
    num_input_tokens: int
    tokens: list[int]
    start_timestamp: int
    end_timestamp: int


@dataclass
class StatsKeeper:
    requests: dict[int, RequestRecord] = field(default_factory=dict)

    def add(self, record):
        self.requests[record.id] = record


class ReportUtility:
    def __init__(self, statistics, args):
        self.records, self.args = list(statistics.requests.values()), args

    if not OLD:

        @staticmethod
        def _query_gpu_info():
            visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").strip()
            number = int(visible.split(",")[0]) if visible else 0  # a UUID is none
            return {"name": f"GPU {number}", "memory.total": 80.0, "clocks.mem": 2.6}

    def get_statistics_dict(self):
        args, records = self.args, self.records
        trt = OLD or args.backend == "tensorrt"
        folder = args.engine_dir if trt else args.model_path
        config = json.loads((folder / "config.json").read_text())
        made = config["pretrained_config"] if trt else {"dtype": config.get("torch_dtype")}
        stored, built = made.get("quantization", {}), config.get("build_config", {})
        start_ns = min(record.start_timestamp for record in records)
        end_ns = max(record.end_timestamp for record in records)
        fraction = float(args.kv_cache_free_gpu_mem_fraction)
        report = {
            "engine": {
                "model": args.model,
                "model_path": str(args.model_path),
                "engine_dir": str(args.engine_dir) if trt else "None",
                "version": __version__,
                "backend": "TRT" if trt else "Pytorch",
                "dtype": made["dtype"],
                "kv_cache_dtype": stored.get("kv_cache_quant_algo"),
                "quantization": stored.get("quant_algo"),
            },
            "world_info": {
                "tp_size": 1,
                "pp_size": 1,
                "ep_size": None,
                "world_size": 1,
                "max_batch_size": built["max_batch_size"] if trt else args.max_batch_size or 2048,
                "max_num_tokens": built["max_num_tokens"] if trt else args.max_num_tokens or 8192,
                "scheduling_policy": "GUARANTEED_NO_EVICT",
                "kv_cache_percentage": fraction * 100.0 if OLD else fraction,
                "issue_rate": 1.5e5,
            },
            "request_info": {
                "num_requests": len(records),
                "avg_num_concurrent_requests": 3.5,
                "avg_input_length": sum(r.num_input_tokens for r in records) / len(records),
                "avg_output_length": sum(len(r.tokens) for r in records) / len(records),
            },
            "performance": {
                "total_latency_ms": (end_ns - start_ns) * 1e-6,
                "request_throughput_req_s": len(records) / (end_ns - start_ns) * 1e9,
            },
            "dataset": {"num_requests": len(records), "dataset_path": str(args.dataset)},
        }
        if trt:
            report["engine"] |= {
                "max_input_length": built["max_input_len"],
                "max_sequence_length": built["max_seq_len"],
            }
        if WITHOUT_ENGINES:  # of the loop of requests, by NVML's counter
            seconds = (end_ns - start_ns) * 1e-9
            report["energy"] = {"total_energy_j": 310 * seconds, "average_gpu_power": 310.0}
        if not OLD:
            report["machine"] = self._query_gpu_info()
        return report

    def get_request_info(self):
        return [
            {
                "id": record.id,
                "num_input_tokens": record.num_input_tokens,
                "start_timestamp": record.start_timestamp,
                "first_token_timestamp": -1,
                "end_timestamp": record.end_timestamp,
                "output": "x" * len(record.tokens),
                "output_tokens": len(record.tokens),
            }
            for record in self.records
        ]
