"""The API that the local server serves: its checks, queues, bill, faults and webhooks, over real HTTP."""
