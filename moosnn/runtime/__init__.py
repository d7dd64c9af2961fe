"""Where trials run, and how nothing is lost: journal, lease, executors, worker."""
