"""What the service replaces, in small: Flask, flask-jwt-extended, SQLAlchemy on PostgreSQL, bcrypt. The same routes.

PGHOST and its like say where PostgreSQL is, PASSWORDS how passwords are hashed: "default" (bcrypt), or "argon2id" at this service's cost.
"""

import os
import uuid
from datetime import datetime, timezone

import bcrypt
import click
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from flask import Flask, jsonify, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    current_user,
    jwt_required,
)
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# A user who registers with it becomes an administrator, as in the service.
ADMIN = "admin@example.com"
MAX_PAGE = 1000

app = Flask(__name__)
app.config["JWT_SECRET_KEY"] = os.environ["SECRET"]
app.config["SQLALCHEMY_DATABASE_URI"] = "postgresql+psycopg://"


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(app, model_class=Base)
jwt = JWTManager(app)


def now():
    return datetime.now(timezone.utc)


class User(db.Model):
    __tablename__ = "users"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str]
    email: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str]
    role: Mapped[str] = mapped_column(default="user")
    created_at: Mapped[datetime] = mapped_column(db.DateTime(timezone=True), default=now, index=True)
    updated_at: Mapped[datetime] = mapped_column(db.DateTime(timezone=True), default=now, onupdate=now)

    def view(self):
        return {
            "id": str(self.id),
            "name": self.name,
            "email": self.email,
            "roles": [self.role],
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
        }


if os.environ["PASSWORDS"] == "argon2id":
    argon2id = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
    hash_password = argon2id.hash

    def verify_password(stored, password):
        try:
            return argon2id.verify(stored, password)
        except VerifyMismatchError:
            return False

else:

    def hash_password(password):
        return bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode()

    def verify_password(stored, password):
        return bcrypt.checkpw(password.encode(), stored.encode())


@jwt.user_lookup_loader
def load_user(_header, claims):
    return db.session.get(User, uuid.UUID(claims["sub"]))


@app.post("/auth/register")
def register():
    fields = request.get_json()
    user = User(
        name=fields["name"],
        email=fields["email"].lower(),
        password=hash_password(fields["password"]),
        role="admin" if fields["email"] == ADMIN else "user",
    )
    db.session.add(user)
    try:
        db.session.commit()
    except IntegrityError:
        return jsonify(code="email_taken"), 409
    return jsonify(user.view()), 201


@app.post("/auth/login")
def login():
    fields = request.get_json()
    user = db.session.scalar(select(User).where(User.email == fields["email"].lower()))
    if user is None or not verify_password(user.password, fields["password"]):
        return jsonify(code="invalid_credentials"), 401
    identity = str(user.id)
    return jsonify(
        access_token=create_access_token(identity),
        refresh_token=create_refresh_token(identity),
        user=user.view(),
    )


@app.post("/auth/refresh")
@jwt_required(refresh=True)
def refresh():
    return jsonify(access_token=create_access_token(str(current_user.id)))


@app.get("/user")
@jwt_required()
def get_user():
    return jsonify(current_user.view())


@app.get("/users")
@jwt_required()
def list_users():
    if current_user.role != "admin":
        return jsonify(code="forbidden"), 403
    page = db.paginate(select(User).order_by(User.created_at.desc(), User.id.desc()), max_per_page=MAX_PAGE)
    return jsonify(users=[user.view() for user in page], page=page.page, pages=page.pages, total=page.total)


@app.cli.command("seed")
@click.argument("count", type=int)
def seed(count):
    """Makes the tables, and COUNT users with one password, whose hash is made once."""
    db.create_all()
    password = hash_password("correct horse battery")
    db.session.add_all(
        User(name=f"User {number}", email=f"user{number}@example.com", password=password) for number in range(count)
    )
    db.session.commit()
