"""FastAPI Users as its documentation sets it up: SQLAlchemy on asyncpg, bearer tokens, JWT. Added: a name, a list of users
for administrators, which it leaves to the application, and `python app.py COUNT`, which makes the tables and COUNT users.

PGHOST and its like say where PostgreSQL is, PASSWORDS how passwords are hashed: "default", or "argon2id" at this service's cost.
"""

import asyncio
import os
import sys
import uuid
from datetime import datetime, timezone
from typing import Annotated

from fastapi import Depends, FastAPI, Query
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.password import PasswordHelper
from fastapi_users.db import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import DateTime, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# A user who registers with it becomes an administrator, as in the service.
ADMIN = "admin@example.com"
MAX_PAGE = 1000
SECRET = os.environ["SECRET"]

if os.environ["PASSWORDS"] == "argon2id":
    password_helper = PasswordHelper(PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),)))
else:
    password_helper = PasswordHelper()

engine = create_async_engine("postgresql+asyncpg://", pool_size=10)
async_session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class User(SQLAlchemyBaseUserTableUUID, Base):
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), default=lambda: datetime.now(timezone.utc), index=True
    )


class UserRead(schemas.BaseUser[uuid.UUID]):
    name: str
    created_at: datetime


class UserCreate(schemas.BaseUserCreate):
    name: str


class UserUpdate(schemas.BaseUserUpdate):
    name: str | None = None


async def get_session():
    async with async_session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


async def get_user_db(session: Session):
    yield SQLAlchemyUserDatabase(session, User)


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET

    async def on_after_register(self, user, request=None):
        if user.email == ADMIN:
            await self.user_db.update(user, {"is_superuser": True})


async def get_user_manager(user_db: Annotated[SQLAlchemyUserDatabase, Depends(get_user_db)]):
    yield UserManager(user_db, password_helper)


backend = AuthenticationBackend(
    name="jwt",
    transport=BearerTransport(tokenUrl="auth/jwt/login"),
    get_strategy=lambda: JWTStrategy(secret=SECRET, lifetime_seconds=3600),
)
users = FastAPIUsers[User, uuid.UUID](get_user_manager, [backend])

app = FastAPI()


# Before the library's own `/users/{id}`.
@app.get("/users", response_model=list[UserRead], dependencies=[Depends(users.current_user(active=True, superuser=True))])
async def list_users(
    session: Session, limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20, offset: Annotated[int, Query(ge=0)] = 0
):
    page = select(User).order_by(User.created_at.desc(), User.id.desc()).limit(limit).offset(offset)
    return (await session.scalars(page)).all()


app.include_router(users.get_auth_router(backend), prefix="/auth/jwt")
app.include_router(users.get_register_router(UserRead, UserCreate), prefix="/auth")
app.include_router(users.get_users_router(UserRead, UserUpdate), prefix="/users")


async def seed(count):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    password = password_helper.hash("correct horse battery")
    async with async_session.begin() as session:
        session.add_all(
            User(name=f"User {number}", email=f"user{number}@example.com", hashed_password=password)
            for number in range(count)
        )


if __name__ == "__main__":
    asyncio.run(seed(int(sys.argv[1])))
