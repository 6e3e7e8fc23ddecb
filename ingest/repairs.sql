COPY meta.repair (load, edition, layer, position, rule, before, after, area_change) FROM STDIN WITH BINARY
