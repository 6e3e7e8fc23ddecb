"""What no standard covers: health, sessions, analysis, the OpenAPI document."""
