"""The auditor: recomputes the books from raw rows, and shares no code with the rooms that wrote them."""
