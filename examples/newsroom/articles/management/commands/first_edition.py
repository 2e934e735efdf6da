import io
import json
import math
from datetime import timedelta
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify
from PIL import Image, ImageDraw, ImageFilter

from articles.models import Article, Reporter, Section

EDITION = Path(__file__).resolve().parents[2] / "first_edition.json"


class Command(BaseCommand):
    help = "Publish a handful of articles, so that a new paper is not empty."

    @transaction.atomic
    def handle(self, *args, **options):
        edition = json.loads(EDITION.read_text(encoding="utf-8"))
        sections = {}
        for position, name in enumerate(edition["sections"], start=1):
            sections[name], _ = Section.objects.get_or_create(
                slug=slugify(name), defaults={"name": name, "position": position}
            )
        printed = 0
        for age, story in enumerate(edition["articles"]):
            slug = slugify(story["headline"])
            if Article.objects.filter(slug=slug).exists():
                continue
            reporter, _ = Reporter.objects.get_or_create(name=story["reporter"], defaults={"title": story["title"]})
            article = Article(
                section=sections[story["section"]],
                reporter=reporter,
                headline=story["headline"],
                slug=slug,
                summary=story["summary"],
                body="\n\n".join(story["body"]),
                caption=story.get("caption", ""),
                published_at=timezone.now() - timedelta(hours=3 * age),
            )
            if "sun" in story:
                article.photograph = ContentFile(landscape(*story["sun"]), name=f"{slug[:40]}.jpg")
            article.save()
            printed += 1
        self.stdout.write(f"{printed} articles published.")


def landscape(x, y, sky, land, size=(1200, 800)):
    """The plains under the sun at (x, y), each from 0 to 1, as a JPEG."""
    width, height = size
    picture = Image.linear_gradient("L").resize(size)
    picture = Image.merge("RGB", [picture.point(lambda v, c=c: c + (255 - c) * v // 320) for c in sky])
    glow = Image.new("L", size)
    radius = height // 11
    sun = [x * width - radius, y * height - radius, x * width + radius, y * height + radius]
    ImageDraw.Draw(glow).ellipse(sun, fill=255)
    picture.paste((255, 236, 200), mask=glow.filter(ImageFilter.GaussianBlur(radius)))
    picture.paste((255, 246, 224), mask=glow.filter(ImageFilter.GaussianBlur(3)))
    draw = ImageDraw.Draw(picture)
    for ridge in range(4):
        level = height * (0.58 + 0.11 * ridge)
        line = [
            (step, level + 26 * math.sin(step / (170 - 25 * ridge) + 5 * x + 2 * ridge))
            for step in range(0, width + 1, 8)
        ]
        shade = tuple(round(c * (1 - 0.2 * ridge)) for c in land)
        draw.polygon([*line, (width, height), (0, height)], fill=shade)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=82)
    return file.getvalue()
