"""The Postman collection: made from the OpenAPI document, and run by newman against the service.

make postman          writes `songswap-insights.postman_collection.json`
make postman-check    serves the demo data and sends every request of the collection to it
"""
