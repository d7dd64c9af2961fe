"""The single-objective example of hydra-optuna-sweeper: returns a float."""

import hydra
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="sphere")
def sphere(cfg: DictConfig) -> float:
    if cfg.error:
        raise RuntimeError("cfg.error is true")
    return cfg.x**2 + cfg.y**2


if __name__ == "__main__":
    sphere()
