"""A client of the user management service."""

from . import schemas
from .client import UsersClient
from .problem import Problem
from .tokens import MemoryTokenStore, Tokens, TokenStore

__all__ = ["MemoryTokenStore", "Problem", "TokenStore", "Tokens", "UsersClient", "schemas"]
