"""The custom-search-space example of hydra-optuna-sweeper: z lies near x.

Instead of a bound that depends on another parameter the distance is searched, and the
config adds it. The resolver is made below the guard: workers have it all the same.
"""

import hydra
from omegaconf import DictConfig, OmegaConf


@hydra.main(version_base="1.3", config_path="conf", config_name="shifted")
def sphere(cfg: DictConfig) -> float:
    return cfg.w**2 + cfg.x**2 + cfg.y**2 + cfg.z**2


if __name__ == "__main__":
    OmegaConf.register_new_resolver("plus", lambda a, b: a + b)
    sphere()
