"""The words from which the made-up product titles are put together.

Kept apart from the generator so that a change of wording (which changes every later measurement's input) is seen as
what it is. The domain is the one that a product search for clothing sees: Chinese listings first, English beside them.
"""

from __future__ import annotations

from typing import NamedTuple


class Category(NamedTuple):
    """One kind of article, with the words that listings of it use in either language."""

    zh: tuple[str, ...]
    """Names, the usual one first."""
    zh_features: tuple[str, ...]
    en: tuple[str, ...]
    en_features: tuple[str, ...]
    women_only: bool = False


CATEGORIES = (
    Category(
        ("短袖T恤", "T恤短袖", "短袖上衣", "半袖T恤"),
        ("圆领", "V领", "修身", "宽松", "速干", "透气", "纯棉", "印花", "显瘦", "打底"),
        ("Short Sleeve T-Shirt", "Tee Shirt", "Crewneck Tee"),
        ("Crew Neck", "V-Neck", "Slim Fit", "Loose Fit", "Quick-Dry", "Breathable", "Cotton", "Graphic Print"),
    ),
    Category(
        ("长袖T恤", "打底衫", "长袖上衣"),
        ("圆领", "半高领", "修身", "加绒", "纯棉", "条纹", "螺纹", "内搭"),
        ("Long Sleeve T-Shirt", "Base Layer Top"),
        ("Mock Neck", "Ribbed", "Striped", "Fleece Lined", "Cotton Blend", "Fitted"),
    ),
    Category(
        ("运动内衣", "运动文胸", "健身背心"),
        ("高强度", "防震", "聚拢", "美背", "无钢圈", "一体式", "带胸垫", "速干"),
        ("Sports Bra", "Training Bra"),
        ("High Impact", "Medium Support", "Racerback", "Wireless", "Padded", "Seamless"),
        women_only=True,
    ),
    Category(
        ("瑜伽裤", "健身裤", "紧身裤"),
        ("高腰", "提臀", "收腹", "裸感", "弹力", "速干", "九分", "带口袋"),
        ("Yoga Leggings", "Training Tights"),
        ("High Waist", "Tummy Control", "Buttery Soft", "Four-Way Stretch", "With Pockets", "7/8 Length"),
        women_only=True,
    ),
    Category(
        ("运动短裤", "跑步短裤", "三分裤"),
        ("速干", "防走光", "双层", "宽松", "高腰", "透气", "带拉链口袋"),
        ("Running Shorts", "Gym Shorts"),
        ("Lightweight", "2-in-1 Liner", "Quick-Dry", "Zip Pocket", "5 Inch Inseam", "Elastic Waist"),
    ),
    Category(
        ("卫衣", "连帽卫衣", "套头衫"),
        ("加绒", "宽松", "落肩", "字母印花", "情侣款", "重磅", "纯棉", "慵懒风"),
        ("Hoodie", "Pullover Sweatshirt"),
        ("Fleece", "Oversized", "Drop Shoulder", "Heavyweight", "Kangaroo Pocket", "Letter Print"),
    ),
    Category(
        ("衬衫", "长袖衬衫", "衬衣"),
        ("免烫", "修身", "商务", "格子", "条纹", "亚麻", "抗皱", "职业"),
        ("Button-Down Shirt", "Oxford Shirt", "Blouse"),
        ("Wrinkle Free", "Slim Fit", "Linen", "Plaid", "Striped", "Non-Iron"),
    ),
    Category(
        ("连衣裙", "长裙", "碎花裙"),
        ("收腰", "显瘦", "雪纺", "法式", "方领", "泡泡袖", "A字", "中长款"),
        ("Midi Dress", "Floral Dress", "Maxi Dress"),
        ("A-Line", "Square Neck", "Puff Sleeve", "Chiffon", "Wrap", "Cinched Waist"),
        women_only=True,
    ),
    Category(
        ("牛仔裤", "直筒裤", "阔腿裤"),
        ("高腰", "显高", "弹力", "破洞", "水洗", "复古", "小个子", "垂感"),
        ("Jeans", "Straight Leg Jeans", "Wide Leg Pants"),
        ("High Rise", "Stretch", "Distressed", "Stone Washed", "Vintage", "Petite"),
    ),
    Category(
        ("羽绒服", "轻薄羽绒服", "棉服"),
        ("白鸭绒", "防风", "连帽", "中长款", "保暖", "面包服", "可收纳"),
        ("Down Jacket", "Puffer Jacket"),
        ("Packable", "Windproof", "Hooded", "Mid-Length", "Warm", "Duck Down"),
    ),
    Category(
        ("冲锋衣", "防晒衣", "皮肤衣"),
        ("三合一", "防水", "防泼水", "UPF50+", "轻薄", "户外", "可拆卸帽"),
        ("Rain Jacket", "Windbreaker", "Sun Protection Jacket"),
        ("Waterproof", "UPF 50+", "Lightweight", "Detachable Hood", "3-in-1", "Outdoor"),
    ),
    Category(
        ("毛衣", "针织衫", "针织开衫"),
        ("羊毛", "V领", "麻花", "慵懒风", "短款", "软糯", "不起球"),
        ("Knit Sweater", "Cardigan"),
        ("Merino Wool", "Cable Knit", "V-Neck", "Cropped", "Chunky", "Soft"),
    ),
    Category(
        ("跑步鞋", "运动鞋", "慢跑鞋"),
        ("缓震", "透气", "防滑", "轻便", "网面", "碳板", "耐磨"),
        ("Running Shoes", "Trainers"),
        ("Cushioned", "Breathable Mesh", "Non-Slip", "Lightweight", "Carbon Plate", "Wide Fit"),
    ),
    Category(
        ("小白鞋", "板鞋", "帆布鞋"),
        ("百搭", "厚底", "增高", "软底", "低帮", "复古"),
        ("White Sneakers", "Canvas Shoes", "Skate Shoes"),
        ("Platform", "Low Top", "Memory Foam", "Retro", "Lace-Up"),
    ),
    Category(
        ("双肩包", "书包", "通勤背包"),
        ("大容量", "防水", "减负", "电脑层", "轻便", "反光条"),
        ("Backpack", "Laptop Backpack"),
        ("Water Resistant", "Large Capacity", "15.6 Inch", "USB Port", "Lightweight"),
    ),
    Category(
        ("睡衣套装", "家居服", "睡裙"),
        ("冰丝", "纯棉", "珊瑚绒", "宽松", "可外穿", "两件套"),
        ("Pajama Set", "Loungewear Set"),
        ("Satin", "Cotton", "Coral Fleece", "Two Piece", "Button Front"),
    ),
)

ZH_BRANDS = (
    "云杉里", "青禾记", "野径", "南栀", "北屿", "拾光衣", "暮橙", "鹿北川", "半夏集", "澜舟",
    "初屿", "沐朗", "轻野", "岚序", "木有鹿", "简川", "森屿家", "泊棠", "逐浪者", "山今",
)  # fmt: skip
EN_BRANDS = (
    "Norvell", "Quillan", "Brackenfield", "Aldermoor", "Veyra", "Tessaline", "Oakhurst & Rye", "Lumero", "Halden",
    "Corvane", "Pellmere", "Strandell", "Ivarra", "Kestrel Row", "Maplewick", "Zephyrine",
)  # fmt: skip
ZH_SEASONS = ("春季", "夏季", "秋季", "冬季", "春秋", "秋冬", "夏天", "四季")
EN_SEASONS = ("Spring", "Summer", "Autumn", "Winter", "All-Season")
YEARS = ("2023", "2024", "2025", "2026")
ZH_WEARERS = ("女", "女生", "女士", "男", "男士", "男生", "男女同款", "女童", "男童", "儿童", "大码女", "孕妇")
ZH_WOMEN = ("女", "女生", "女士", "女童", "大码女", "孕妇")
EN_WOMEN = ("Women's", "Girls'", "Plus Size Women's", "Maternity")
EN_WEARERS = ("Women's", "Men's", "Unisex", "Girls'", "Boys'", "Kids'", "Plus Size Women's", "Maternity")
ZH_STYLES = (
    "健身", "运动", "休闲", "通勤", "韩版", "日系", "复古", "学院风", "街头", "潮牌", "简约", "百搭", "户外", "甜美",
    "法式", "国潮", "港风", "设计感小众", "跑步", "瑜伽",
)  # fmt: skip
EN_STYLES = (
    "Workout", "Athletic", "Casual", "Commuter", "Korean Style", "Vintage", "Preppy", "Streetwear", "Minimalist",
    "Outdoor", "Boho", "Running", "Yoga", "Classic",
)  # fmt: skip
ZH_COLOURS = (
    "白色", "黑色", "雾霾蓝", "藏青", "浅灰", "燕麦色", "豆沙粉", "酒红", "墨绿", "卡其", "奶茶色", "克莱因蓝",
    "薄荷绿", "焦糖色", "香芋紫", "撞色",
)  # fmt: skip
EN_COLOURS = (
    "White", "Black", "Navy", "Heather Grey", "Oatmeal", "Dusty Pink", "Burgundy", "Forest Green", "Khaki", "Sky Blue",
    "Caramel", "Lavender", "Charcoal", "Mint",
)  # fmt: skip
ZH_TAILS = (
    "新款",
    "ins潮",
    "小个子",
    "学生",
    "显瘦百搭",
    "宽松大码",
    "外穿",
    "薄款",
    "加厚",
    "官方正品",
    "两件装",
    "轻奢",
)
EN_TAILS = ("New Arrival", "Pack of 2", "Regular Fit", "Machine Washable", "Gift Idea", "Size S-3XL", "Limited Edition")
