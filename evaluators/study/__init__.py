"""Studies: models x benchmarks x methods from one file, each cell an ordinary run.

Reading STUDY.yaml, naming its cells, working them off and their table. No run is made here but through `running`, and
no statistics live here.
"""
