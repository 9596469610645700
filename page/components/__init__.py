"""What several tabs show: cards, hits, the query, filters, heat maps, the map's files."""
