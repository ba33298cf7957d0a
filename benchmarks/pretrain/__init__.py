"""Train the networks that come with the package, and write their weights.

    python -m benchmarks.pretrain --data FOLDER
    python -m benchmarks.pretrain --data FOLDER --bands months --holdout --output months.safetensors

FOLDER holds, in any subfolders, ``m4_yearly.parquet``, ``m4_quarterly.parquet``, ``m4_weekly.parquet``,
``m4_hourly.parquet`` and ``kdd_cup_2018.parquet``, each with the columns ``unique_id``, ``y`` and ``split``; only the
rows of the split "train" are read. The same command gives the same weights on the same machine, whatever the number of
threads. ``--work`` keeps each network that is done, and every half minute the one that is being trained: a run that was
stopped goes on from there, and ends with the weights of one that was not. Other data, other settings of networks and
changes in the code of this package train anew; after a change of other code, give another ``--work``.

``--holdout`` leaves the last horizon of each series out as well. Settings were chosen there, by

    python -m benchmarks.accuracy m4-yearly --data FILE --split validation --models pretrained --set weights=FILE

and on rolling windows of small classic series that are in none of the sets.
"""
