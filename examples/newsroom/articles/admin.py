from django.contrib import admin

from .models import Article, Reporter, Section

admin.site.site_header = "The Prairie Courier"
admin.site.site_title = "The Prairie Courier"
admin.site.index_title = "The desk"


@admin.register(Section)
class SectionAdmin(admin.ModelAdmin):
    list_display = ["name", "position"]
    prepopulated_fields = {"slug": ["name"]}


@admin.register(Reporter)
class ReporterAdmin(admin.ModelAdmin):
    list_display = ["name", "title"]


@admin.register(Article)
class ArticleAdmin(admin.ModelAdmin):
    list_display = ["headline", "section", "reporter", "published_at"]
    list_filter = ["section", "reporter"]
    search_fields = ["headline", "summary", "body"]
    date_hierarchy = "published_at"
    prepopulated_fields = {"slug": ["headline"]}
