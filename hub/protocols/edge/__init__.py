"""The edge link's gateway: WebSockets to the agents of hosted operators' sites."""
