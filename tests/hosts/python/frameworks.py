"""ORMs and schema tools on an hnsw table: `frameworks.py LIBRARY CASE` prints the findings of a case as JSON.

Each case is a process of its own, in a Python whose sqlite3 module loads extensions (test_sqlites_rules.py starts it).
"""
import json
import sqlite3
import sys

TABLE = "CREATE VIRTUAL TABLE articles USING hnsw(id INTEGER PRIMARY KEY, name TEXT UNIQUE, embedding FLOAT[2], image FLOAT[2])"
VECTOR = b"\x00\x00\x80\x3f\x00\x00\x00\x40"  # [1, 2]


def load(connection: sqlite3.Connection) -> None:
    connection.enable_load_extension(True)
    connection.load_extension(sys.argv[1])
    connection.enable_load_extension(False)


def django_models():
    import django
    from django.conf import settings
    from django.db.backends.signals import connection_created

    settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
    django.setup()
    from django.db import connection, models

    connection_created.connect(lambda connection, **_: load(connection.connection), weak=False)

    class Article(models.Model):
        id = models.AutoField(primary_key=True)
        name = models.TextField()
        embedding = models.BinaryField(null=True)

        class Meta:
            app_label, managed, db_table = "shop", False, "articles"

    connection.cursor().execute(TABLE)
    return connection, Article


def django_returning() -> dict:
    connection, Article = django_models()
    jug = Article.objects.create(name="jug", embedding=VECTOR)
    found = {"automatic": jug.pk}
    jug.name = "mug"
    jug.save()
    found["twice"] = list(Article.objects.order_by("id").values_list("id", "name"))
    Article.objects.all().delete()
    given = Article.objects.create(id=7, name="jug", embedding=VECTOR)
    given.name = "mug"
    given.save()
    found["given"] = [given.pk, *Article.objects.values_list("name", flat=True)]
    found["bytes"] = bytes(Article.objects.get(id=7).embedding) == VECTOR
    connection.features.can_return_columns_from_insert = False
    found["without_returning"] = Article.objects.create(name="cup").pk
    return found


def django_upsert() -> dict:
    from django.db import OperationalError

    _, Article = django_models()
    try:
        options = {"update_conflicts": True, "unique_fields": ["id"], "update_fields": ["name"]}
        Article.objects.bulk_create([Article(id=1, name="jug")], **options)
    except OperationalError as error:
        return {"error": str(error)}
    return {}


def django_alter_field() -> dict:
    connection, Article = django_models()
    from django.db import models

    field = models.CharField(max_length=10)
    field.set_attributes_from_name("name")
    field.model = Article
    with connection.schema_editor() as editor:
        editor.alter_field(Article, Article._meta.get_field("name"), field)
    cursor = connection.cursor().execute("SELECT name, substr(sql, 1, 12) FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return {"tables": [row for row in cursor.fetchall() if not row[0].startswith("sqlite_")]}


def alchemy_engine():
    from sqlalchemy import create_engine, event, text

    engine = create_engine("sqlite://")
    event.listen(engine, "connect", lambda connection, _: load(connection))
    with engine.begin() as connection:
        connection.execute(text(TABLE))
    return engine


def sqlalchemy_returning() -> dict:
    from sqlalchemy import Column, Integer, LargeBinary, Text, select
    from sqlalchemy.orm import Session, declarative_base
    from sqlalchemy.orm.exc import FlushError

    engine, found = alchemy_engine(), {}

    def article(**options):
        columns = {"id": Column(Integer, primary_key=True), "name": Column(Text), "embedding": Column(LargeBinary)}
        return type("Article", (declarative_base(),), {"__tablename__": "articles", "__table_args__": options, **columns})

    for name, options in ("automatic", {}), ("without_returning", {"implicit_returning": False}):
        Article = article(**options)
        with Session(engine) as session:
            try:
                jug, mug = Article(name="jug", embedding=VECTOR), Article(name="mug", embedding=VECTOR)
                session.add_all([jug, mug])
                session.flush()
                found[name] = [jug.id, mug.id]
            except FlushError as error:
                found[name] = str(error).partition(" has a ")[2][:18]
    Article = article()
    with Session(engine) as session:
        session.add_all([Article(id=5, name="jug", embedding=VECTOR), Article(id=6, name="mug", embedding=VECTOR)])
        session.commit()
        found["given"] = [[row.id, row.name, row.embedding == VECTOR] for row in session.scalars(select(Article))]
    return found


def alembic_autogenerate() -> dict:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import MetaData

    def include_name(name, type_, parent_names):
        return not (type_ == "table" and name.split("_")[0] == "articles")

    def include_object(object_, name, type_, reflected, compare_to):
        return not (type_ == "table" and reflected and name.split("_")[0] == "articles")

    found = {}
    with alchemy_engine().connect() as connection:
        for name, options in ("bare", {}), ("name", {"include_name": include_name}), ("object", {"include_object": include_object}):
            context = MigrationContext.configure(connection, opts=options)
            changes = compare_metadata(context, MetaData())
            found[name] = sorted(f"{change[0]} {change[1].name}" for change in changes)
    return found


def sqlite_utils_transform() -> dict:
    import sqlite_utils

    connection = sqlite3.connect(":memory:")
    load(connection)
    database = sqlite_utils.Database(connection)
    database.execute(TABLE)
    database.execute("INSERT INTO articles(id, name, embedding) VALUES (1, 'jug', ?)", [VECTOR])
    database["articles"].transform(rename={"name": "title"})
    cursor = database.execute("SELECT name, substr(sql, 1, 12) FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return {"tables": cursor.fetchall()}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[2]]()))
