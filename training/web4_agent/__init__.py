"""The agent of the ship gates: fine-tuned, merged, and in variants with just one thing damaged.

`python -m training.web4_agent FOLDER` trains by `training/configs/web4-agent.json`, on the model
that `web4-agent-groundwork.json` makes, and writes the merged model: hours on two cores. What was
trained stays in the cache, so that an interrupted build goes on at its last checkpoint. `python -m
training.web4_agent FOLDER without_links` trains that model on, for a few steps, on data in which
one behaviour is wrong: see `damage`.
"""
