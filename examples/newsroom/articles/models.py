from django.db import models
from django.urls import reverse
from django.utils import timezone


class Section(models.Model):
    name = models.CharField(max_length=40, unique=True)
    slug = models.SlugField(max_length=40, unique=True)
    position = models.PositiveSmallIntegerField(default=0, help_text="Order in the masthead")

    class Meta:
        ordering = ["position", "name"]

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("section", args=[self.slug])


class Reporter(models.Model):
    name = models.CharField(max_length=80, unique=True)
    title = models.CharField(max_length=80, default="Staff writer")

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name


class ArticleQuerySet(models.QuerySet):
    def published(self):
        return self.filter(published_at__lte=timezone.now()).select_related("section", "reporter")


class Article(models.Model):
    section = models.ForeignKey(Section, on_delete=models.PROTECT, related_name="articles")
    reporter = models.ForeignKey(Reporter, on_delete=models.PROTECT, related_name="articles")
    headline = models.CharField(max_length=120)
    slug = models.SlugField(max_length=120, unique=True)
    summary = models.TextField(max_length=400)
    body = models.TextField()
    photograph = models.ImageField(
        upload_to="photographs/%Y/%m/",
        width_field="photograph_width",
        height_field="photograph_height",
        blank=True,
    )
    photograph_width = models.PositiveIntegerField(null=True, editable=False)
    photograph_height = models.PositiveIntegerField(null=True, editable=False)
    caption = models.CharField(max_length=200, blank=True)
    published_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = ArticleQuerySet.as_manager()

    class Meta:
        ordering = ["-published_at", "-pk"]

    def __str__(self):
        return self.headline

    def get_absolute_url(self):
        return reverse("article", args=[self.section.slug, self.slug])
