"""A training in miniature: two objectives and a constraint, the issue's own YAML."""

import logging
import time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

log = logging.getLogger(__name__)
OPEN = 3  # so many jobs pass a gate that is shut


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def train(cfg: DictConfig) -> dict[str, float]:
    log.info("x is %s", cfg.x)
    number = HydraConfig.get().job.num
    if cfg.starts:  # of any worker, in a file that all of them know
        with Path(cfg.starts).open("a") as file:
            file.write(f"{number}\n")
    while cfg.gate and number >= OPEN and Path(cfg.gate).exists():
        time.sleep(0.02)
    time.sleep(cfg.seconds)
    return {
        "loss": cfg.x**2 + cfg.model.lr,
        "cost": (cfg.x - 1) ** 2 + cfg.db.cost,
        "c": 0.1 - cfg.x,
    }


if __name__ == "__main__":
    train()
