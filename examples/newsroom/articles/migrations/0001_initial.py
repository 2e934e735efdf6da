import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Reporter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80, unique=True)),
                ("title", models.CharField(default="Staff writer", max_length=80)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Section",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=40, unique=True)),
                ("slug", models.SlugField(max_length=40, unique=True)),
                ("position", models.PositiveSmallIntegerField(default=0, help_text="Order in the masthead")),
            ],
            options={
                "ordering": ["position", "name"],
            },
        ),
        migrations.CreateModel(
            name="Article",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("headline", models.CharField(max_length=120)),
                ("slug", models.SlugField(max_length=120, unique=True)),
                ("summary", models.TextField(max_length=400)),
                ("body", models.TextField()),
                (
                    "photograph",
                    models.ImageField(
                        blank=True,
                        height_field="photograph_height",
                        upload_to="photographs/%Y/%m/",
                        width_field="photograph_width",
                    ),
                ),
                ("photograph_width", models.PositiveIntegerField(editable=False, null=True)),
                ("photograph_height", models.PositiveIntegerField(editable=False, null=True)),
                ("caption", models.CharField(blank=True, max_length=200)),
                ("published_at", models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                (
                    "reporter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="articles", to="articles.reporter"
                    ),
                ),
                (
                    "section",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="articles", to="articles.section"
                    ),
                ),
            ],
            options={
                "ordering": ["-published_at", "-pk"],
            },
        ),
    ]
