"""The multi-objective example of hydra-optuna-sweeper: returns a tuple."""

import hydra
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="binh_korn")
def binh_and_korn(cfg: DictConfig) -> tuple[float, float]:
    first = 4 * cfg.x**2 + 4 * cfg.y**2
    second = (cfg.x - 5) ** 2 + (cfg.y - 5) ** 2
    return first, second


if __name__ == "__main__":
    binh_and_korn()
