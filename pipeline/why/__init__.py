"""Why a picture is among the hits of another."""
