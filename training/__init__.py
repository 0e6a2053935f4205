"""Training a model to refine while it thinks (PASR): questions, warm-up, rewards, GRPO; `training.pasr` is the command.

It takes the grading and the reading of questions from `evaluators` and what commands share from `srgen`; neither of
them imports anything from here. torch and TRL are imported where they are needed, so that mistakes are told at once.
"""
