"""Every message on the wire, one module per noun. Structs are frozen; unknown fields are ignored when read."""
